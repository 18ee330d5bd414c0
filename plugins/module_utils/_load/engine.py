# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loads archives into a registry: read, name, ask, look for what bundles rest on, push, record.

Knows nothing of Ansible: takes typed options, raises :class:`ImagesError`, returns a :class:`Result`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from .._archive.request import Request
from .._base.errors import ImagesError, Interrupted
from .._base.stop import Stop
from .._host.log import Log
from .._host.progress import Progress
from .._host.stages import Stages
from .._publish.failed_list import refuse_foreign as refuse_foreign_list
from .._registry.harbor import NewProject
from .._source.archive import Archive, open_archives
from .asking import requests_for_blobs, requests_for_failures
from .carrier import ArchiveCarrier, Holders, Sent
from .chain import in_chain_order
from .choice import Chosen, choose
from .finish import Outcome, finish
from .forecast import foresee, outcome_of, outcomes_without
from .inquiry import TO_DO, Answer, Inquiry, without_projects
from .lacking import LackingBlob
from .ledger import PUSHED, BlobLedger, nothing_moved
from .options import FIRST, Options
from .projects import Projects, prepare_projects, refuse_names_without_project
from .push import Push
from .receipt_file import refuse_foreign
from .referrers import waves
from .report_file import refuse_foreign as refuse_foreign_report
from .request_file import refuse_foreign as refuse_foreign_request
from .requirements import BaseInquiry
from .result import Result
from .side_by_side import work_on
from .stream_order import push_in_stream_order
from .tools import Tools, ends_run, prepared
from .verify import verify_first


@dataclass(frozen=True)
class Run:
    """The state that all steps of a run share.

    :param archives: in the order of their chain.
    :param chosen: the images to load.
    :param stop: set when the run is to end.
    :param stages: times the stages.
    :param carrier: brings blobs into the registry.
    :param ledger: records which blobs are where.
    :param holders: the repositories that should have blobs.
    """

    options: Options
    archives: Sequence[Archive]
    chosen: Chosen
    log: Log
    stop: Stop
    stages: Stages
    tools: Tools
    carrier: ArchiveCarrier
    ledger: BlobLedger
    holders: Holders

    @property
    def has_bundles(self) -> bool:
        """True if any archive leaves out what an earlier one has carried."""
        return any(archive.lock.is_bundle for archive in self.archives)


def load(options: Options, *, log: Log, stop: Stop, progress: Progress | None = None) -> Result:
    """Load the images of archives into a registry, or find that it has them.

    :param stop: ends the run as soon as it is set.
    :param progress: is told how far the run is.
    :raises ImagesError: when the run as a whole cannot go on. Single images that fail are in the result.
    """
    stages = Stages(log, progress or Progress())
    _refuse_foreign_files(options)
    with stages.stage("read"):
        archives = in_chain_order(open_archives(options.src, stop=stop, log=log))
        chosen = choose(
            archives, options.choice, options.naming, index=options.rules.index, referrers=options.rules.referrers
        )
        stages.progress.images = len(chosen.images)
    if options.new_project is not None:
        refuse_names_without_project([image.target.repository for image in chosen.images])
    if options.rules.verify == FIRST:
        with stages.stage("verify"):
            verify_first(archives, options.request_file, check=options.check)
    with prepared(options, log=log, stop=stop) as tools:
        sent, holders = Sent(), Holders(stop.check)
        stages.progress.measure(lambda: sent.bytes)
        carrier = ArchiveCarrier(tools.registry, tools.blobs, archives, timeout=options.work.timeout, on_sent=sent.add)
        ledger = BlobLedger(carrier, holders.of, stop.check)
        return _load(Run(options, archives, chosen, log, stop, stages, tools, carrier, ledger, holders))


def _refuse_foreign_files(options: Options) -> None:
    """Make sure that only what an earlier run has written can be replaced."""
    if options.receipt is not None:
        refuse_foreign(options.receipt)
    if options.report is not None:
        refuse_foreign_report(options.report)
    if options.request_file is not None:
        refuse_foreign_request(options.request_file)
    if options.failed_list is not None:
        refuse_foreign_list(options.failed_list, made=os.path.dirname(os.path.abspath(options.failed_list)))


def _load(run: Run) -> Result:
    """Ask and push. Nothing is changed, and no project created, before all that bundles leave out was found."""
    check = run.options.check
    projects = _prepare_projects(run, check=check or run.has_bundles)
    made: tuple[str, ...] = () if check or run.has_bundles else projects.created
    try:
        answers, lacking = _ask(run, projects)
        if lacking:
            return _end(run, _nothing_begun(run, answers, lacking))
        if run.has_bundles and not check:
            projects = _prepare_projects(run, check=False)
            made = projects.created
            answers = without_projects(answers, projects, run.tools.failure)
        return _end(run, _work(run, answers, projects))
    except ImagesError as error:
        error.changed = error.changed or bool(made)
        raise


def _end(run: Run, outcome: Outcome) -> Result:
    tools = run.tools
    return finish(
        run.options,
        run.archives,
        run.chosen,
        outcome,
        heads=tools.heads,
        is_plain=tools.is_plain,
        stages=run.stages,
    )


def _prepare_projects(run: Run, *, check: bool) -> Projects:
    """Create the projects that images need, or find out which would be created."""
    settings: NewProject | None = run.options.new_project
    if settings is None:
        return Projects()
    with run.stages.stage("projects"):
        return prepare_projects(
            run.tools.harbor,
            run.tools.registry,
            [image.target for image in run.chosen.images],
            settings,
            check=check,
            log=run.log,
        )


def _ask(run: Run, projects: Projects) -> tuple[list[Answer], tuple[LackingBlob, ...]]:
    """Ask for everything that the run has to know of the registry.

    :returns: the answer for each image, and the blobs that are nowhere.
    """
    tools, options, check = run.tools, run.options, run.stop.check
    inquiry = Inquiry(
        tools.registry,
        run.ledger,
        options.rules,
        projects,
        failure=tools.failure,
        timeout=options.work.timeout,
        check=check,
    )
    base = BaseInquiry(
        tools.registry,
        run.ledger,
        options.naming,
        projects,
        likely=run.holders.of,
        timeout=options.work.timeout,
        check=check,
    )
    with run.stages.stage("ask"):
        answers = inquiry.ask(run.chosen.images)
        run.holders.know([answer.image for answer in answers if answer.before == answer.image.digest])
        inquiry.ask_for_blobs(answers)
        return answers, base.lacking(answers, run.archives)


def _nothing_begun(run: Run, answers: Sequence[Answer], lacking: Sequence[LackingBlob]) -> Outcome:
    """Return the outcome of a run that ends before it changes anything, as blobs are nowhere."""
    return Outcome(
        outcomes_without(answers, lacking),
        nothing_moved(),
        lacking=lacking,
        requests=requests_for_blobs(lacking, run.archives),
    )


def _work(run: Run, answers: Sequence[Answer], projects: Projects) -> Outcome:
    """Push what is to do; in check mode, foresee it."""
    todo = [answer for answer in answers if answer.state == TO_DO and answer.error is None]
    forecast = foresee(todo, run.ledger)
    run.stages.progress.bytes = forecast.moved.bytes[PUSHED]
    if run.options.check:
        return Outcome(
            [outcome_of(answer) for answer in answers],
            forecast.moved,
            is_changed=bool(todo),
            requests=None if todo or any(answer.error for answer in answers) else (),
            projects_created=projects.created,
        )
    with run.stages.stage("push"):
        push = _push(run, answers, todo)
        loaded = [push.done[id(answer.image)] for answer in answers]
        return Outcome(
            loaded,
            run.ledger.moved,
            is_changed=push.has_changed,
            requests=_asked_after(run, answers, push),
            projects_created=projects.created,
        )


def _asked_after(run: Run, answers: Sequence[Answer], push: Push) -> Sequence[Request] | None:
    """Return what is asked for after a push; ``None`` if that is not known."""
    if run.options.request_file is None:
        return None
    loaded = [push.done[id(answer.image)] for answer in answers]
    try:
        return requests_for_failures(answers, loaded, run.ledger, run.archives)
    except Interrupted as error:
        error.changed = push.has_changed
        raise


def _push(run: Run, answers: Sequence[Answer], todo: Sequence[Answer]) -> Push:
    """Push what is to do.

    :returns: the push, which has the outcome of every image.
    :raises Interrupted: when the run was stopped.
    """
    push = Push(
        run.tools.registry,
        run.ledger,
        run.options.rules,
        run.stages.progress,
        failure=run.tools.failure,
        ends_run=ends_run,
    )
    for answer in answers:
        if answer.state != TO_DO or answer.error is not None:
            push.end(answer.image, outcome_of(answer))
    try:
        push_in_stream_order(run.archives, todo, run.carrier, run.ledger, ends_run=ends_run, warn=run.log.warning)
        for wave in waves(todo):
            work_on(wave, push, workers=run.options.work.jobs, check=run.stop.check)
    except Interrupted as error:
        error.changed = push.has_changed
        raise
    except ImagesError as error:
        if not ends_run(error):
            raise
        run.log.error(f"the run ends early: {error}")
        for answer in todo:
            push.give_up(answer, error)
    return push
