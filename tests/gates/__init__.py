"""The quality gates of this collection: what is tested, on what, and how a result is judged.

`versions` says which ansible-core runs on which Python, `environments` builds what that needs,
`tree` copies the collection to where ansible-test wants it, `catalogue` lists the gates,
`verdicts` finds the runs that are green with nothing tested, and `runner` runs gates and sums up.

Only the standard library is used, and Python 3.11 is enough: this has to run before anything is installed.
"""
