# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loads archives into a registry: read, name, ask, plan, push, record.

Knows nothing of Ansible: takes typed options, raises :class:`ImagesError`, returns a :class:`Result`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from .._base.errors import ImagesError, Interrupted
from .._base.stop import Stop
from .._host.log import Log
from .._host.progress import Progress
from .._host.stages import Stages
from .._publish.failed_list import refuse_foreign as refuse_foreign_list
from .._registry.harbor import NewProject
from .._source.archive import Archive, open_archives
from .carrier import ArchiveCarrier, Holders, Sent
from .choice import Chosen, choose
from .finish import finish
from .forecast import foresee, outcome_of
from .inquiry import TO_DO, Answer, Inquiry
from .ledger import PUSHED, BlobLedger
from .options import FIRST, Options
from .projects import Projects, prepare_projects, refuse_names_without_project
from .push import Push
from .receipt_file import refuse_foreign
from .referrers import waves
from .report_file import refuse_foreign as refuse_foreign_report
from .result import Result
from .side_by_side import work_on
from .stream_order import push_in_stream_order
from .tools import Tools, ends_run, prepared
from .verify import verify_parts


@dataclass(frozen=True)
class Run:
    """The state that all steps of a run share.

    :param chosen: the images to load.
    :param stop: set when the run is to end.
    :param stages: times the stages.
    """

    options: Options
    archives: Sequence[Archive]
    chosen: Chosen
    log: Log
    stop: Stop
    stages: Stages


def load(options: Options, *, log: Log, stop: Stop, progress: Progress | None = None) -> Result:
    """Load the images of archives into a registry, or find that it has them.

    :param stop: ends the run as soon as it is set.
    :param progress: is told how far the run is.
    :raises ImagesError: when the run as a whole cannot go on. Single images that fail are in the result.
    """
    stages = Stages(log, progress or Progress())
    if options.receipt is not None:
        refuse_foreign(options.receipt)
    if options.report is not None:
        refuse_foreign_report(options.report)
    if options.failed_list is not None:
        refuse_foreign_list(options.failed_list, made=os.path.dirname(os.path.abspath(options.failed_list)))
    with stages.stage("read"):
        archives = open_archives(options.src, stop=stop, log=log)
        chosen = choose(
            archives, options.choice, options.naming, index=options.rules.index, referrers=options.rules.referrers
        )
        stages.progress.images = len(chosen.images)
    if options.new_project is not None:
        refuse_names_without_project([image.target.repository for image in chosen.images])
    if options.rules.verify == FIRST:
        with stages.stage("verify"):
            verify_parts(archives)
    run = Run(options, archives, chosen, log, stop, stages)
    with prepared(options, log=log, stop=stop) as tools:
        projects = Projects()
        if options.new_project is not None:
            with stages.stage("projects"):
                projects = _prepare_projects(run, tools, options.new_project)
        try:
            return _load(run, tools, projects)
        except ImagesError as error:
            error.changed = error.changed or (bool(projects.created) and not options.check)
            raise


def _prepare_projects(run: Run, tools: Tools, settings: NewProject) -> Projects:
    """Create the projects that images need, or find out which would be created."""
    return prepare_projects(
        tools.harbor,
        tools.registry,
        [image.target for image in run.chosen.images],
        settings,
        check=run.options.check,
        log=run.log,
    )


def _load(run: Run, tools: Tools, projects: Projects) -> Result:
    options, stop = run.options, run.stop
    sent, holders = Sent(), Holders(stop.check)
    run.stages.progress.measure(lambda: sent.bytes)
    carrier = ArchiveCarrier(tools.registry, run.archives, timeout=options.work.timeout, on_sent=sent.add)
    ledger = BlobLedger(carrier, holders.of, stop.check)
    with run.stages.stage("ask"):
        answers = _ask(run, tools, projects, ledger, holders)
        todo = [answer for answer in answers if answer.state == TO_DO and answer.error is None]
        forecast = foresee(todo, ledger)
        run.stages.progress.bytes = forecast.moved.bytes[PUSHED]
    if options.check:
        images, moved = {id(one.image): outcome_of(one) for one in answers}, forecast.moved
        is_changed = bool(todo)
    else:
        with run.stages.stage("push"):
            push = _push(run, tools, answers, todo, carrier, ledger)
        images, moved, is_changed = push.done, ledger.moved, push.has_changed
    in_order = [images[id(answer.image)] for answer in answers]
    return finish(
        options,
        run.archives,
        run.chosen,
        in_order,
        moved,
        is_changed=is_changed or bool(projects.created),
        heads=tools.heads,
        projects_created=projects.created,
        is_plain=tools.is_plain,
        stages=run.stages,
    )


def _ask(run: Run, tools: Tools, projects: Projects, ledger: BlobLedger, holders: Holders) -> list[Answer]:
    """Ask for everything that the run has to know of the registry."""
    inquiry = Inquiry(
        tools.registry,
        ledger,
        run.options.rules,
        projects,
        failure=tools.failure,
        timeout=run.options.work.timeout,
        check=run.stop.check,
    )
    answers = inquiry.ask(run.chosen.images)
    holders.know([answer.image for answer in answers if answer.before == answer.image.digest])
    inquiry.ask_for_blobs(answers)
    return answers


def _push(
    run: Run,
    tools: Tools,
    answers: Sequence[Answer],
    todo: Sequence[Answer],
    carrier: ArchiveCarrier,
    ledger: BlobLedger,
) -> Push:
    """Push what is to do.

    :returns: the push, which has the outcome of every image.
    :raises Interrupted: when the run was stopped.
    """
    push = Push(
        tools.registry,
        ledger,
        run.options.rules,
        run.stages.progress,
        failure=tools.failure,
        ends_run=ends_run,
    )
    for answer in answers:
        if answer.state != TO_DO or answer.error is not None:
            push.end(answer.image, outcome_of(answer))
    try:
        push_in_stream_order(run.archives, todo, carrier, ledger, ends_run=ends_run, warn=run.log.warning)
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
