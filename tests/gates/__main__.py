"""The commands behind tests/setup.sh and tests/run.sh."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys

from gates.catalogue import all_gates
from gates.environments import environments, set_up, variables
from gates.runner import Gate, run_gates
from gates.seconds import read_seconds
from gates.versions import NoLeg, Plan, asked_for, matrix, read_plan, read_versions


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="gates", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    setup = commands.add_parser("setup", help="make the virtual environments")
    setup.add_argument("--env", action="store_true", help="print shell code that puts the first of them on PATH")
    setup.add_argument(
        "names",
        nargs="*",
        metavar="ENVIRONMENT",
        help="newest, oldest, target, tools, importer, docs, fuzz, demo; default: all but demo",
    )
    commands.add_parser("matrix", help="print all legs and targets that can be asked for, as a workflow reads them")
    run = commands.add_parser("run", help="run gates")
    run.add_argument("--list", action="store_true", help="print the gates and their CPU seconds, and run none")
    run.add_argument(
        "--record", action="store_true", help="keep the CPU seconds of the gates that pass in tests/gates/seconds.json"
    )
    run.add_argument("--jobs", type=int, default=4, help="how many at the same time (default: %(default)s)")
    run.add_argument("names", nargs="*", metavar="GATE", help="a gate or a group of gates; default: all")

    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:at])
    try:
        if arguments.command == "setup":
            return _set_up(arguments, parser)
        if arguments.command == "matrix":
            return _print_matrix()
        return _run(arguments, words[at + 1 :], parser)
    except NoLeg as problem:
        print(f"setup: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _set_up(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    plan = read_plan(choice=asked_for())
    known = environments(plan)
    if not arguments.names or any(known[name].is_for_gates for name in arguments.names if name in known):
        _print_plan(plan)
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        parser.error(f"no such environment here: {', '.join(unknown)} (there are: {', '.join(known)})")
    wanted = [known[name] for name in arguments.names or known if arguments.names or known[name].is_for_gates]
    set_up(wanted, plan)
    if arguments.env:
        values = variables(wanted[0], plan)
        for name in ("PATH", "LC_ALL"):
            print(f"export {name}={shlex.quote(values[name])}")
        # A shim of pyenv would otherwise choose the Python.
        print("unset PYENV_ROOT PYENV_VERSION PYTHONHOME PYTHONPATH")
    return 0


def _print_plan(plan: Plan) -> None:
    for leg in plan.legs:
        print(f"setup: {leg.name}: {leg}", file=sys.stderr)
    for remark in plan.remarks:
        print(f"setup: {remark}", file=sys.stderr)


def _print_matrix() -> int:
    print(f"legs={json.dumps([{'core': core, 'python': python} for core, python in matrix()])}")
    print(f"targets={json.dumps(read_versions()['target']['matrix'])}")
    return 0


def _run(arguments: argparse.Namespace, more_arguments: list[str], parser: argparse.ArgumentParser) -> int:
    plan = read_plan(choice=asked_for())
    gates = all_gates(plan)
    known = {gate.name for gate in gates} | {gate.group for gate in gates}
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        parser.error(f"no such gate here: {', '.join(unknown)} (tests/run.sh --list shows them)")
    if arguments.names:
        # A gate and a group may have the same name (unit): the gate is meant when there are
        # arguments for it, the group otherwise.
        exact = {gate.name for gate in gates} if more_arguments else set()
        gates = [gate for gate in gates if _is_meant(gate.name, gate.group, arguments.names, exact)]
    if arguments.list:
        _list(gates)
        return 0
    if more_arguments and len(gates) != 1:
        parser.error("arguments after -- are for one gate, and here are several")
    if arguments.record and more_arguments:
        parser.error("--record is for whole gates, not for a part of one")
    heed_signals()
    passed = run_gates(
        gates,
        plan,
        environments(plan),
        jobs=arguments.jobs,
        more_arguments=more_arguments,
        record=arguments.record,
    )
    return 0 if passed else 1


def heed_signals() -> None:
    """Treat any request to end like Ctrl-C: end what is running, and remove what was made.

    A shell that starts a run in the background has it ignore SIGINT. So would all that it starts, and tests that send
    that signal would fail; a handler here is the default there.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def _list(gates: list[Gate]) -> None:
    known = read_seconds()
    print(f"{'group':12} {'gate':20} {'CPU s':>6}  about")
    for gate in gates:
        seconds = f"{known[gate.name]:6.1f}" if gate.name in known else f"{'?':>6}"
        print(f"{gate.group:12} {gate.name:20} {seconds}  {gate.about}")
    print(f"{'':12} {'all':20} {sum(known.get(gate.name, 0) for gate in gates):6.0f}")


def _is_meant(name: str, group: str, wanted: list[str], exact: set[str]) -> bool:
    return name in wanted or any(word == group and word not in exact for word in wanted)


if __name__ == "__main__":
    sys.exit(main())
