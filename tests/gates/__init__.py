"""The quality gates of this collection: what is tested, on what, and how a result is judged.

`versions` says which ansible-core runs on which Python, `environments` builds what that needs,
`tree` copies the collection to where ansible-test wants it, `catalogue` lists the gates (they are in `reading`,
`suites`, `functional` and `packaging`), `verdicts` finds runs that are green with nothing tested, `runner` runs
gates and sums up, and `seconds` keeps what each costs.

Only the standard library is used, and Python 3.11 is enough: this has to run before anything is installed.
"""
