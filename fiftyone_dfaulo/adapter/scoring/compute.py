"""One run from start to end: reads, has the engine score, writes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import fiftyone.core.utils as fou
from numpy.typing import ArrayLike
from typing_extensions import Unpack

from fiftyone_dfaulo.adapter.cache import open_work
from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.progress import progress_bar
from fiftyone_dfaulo.adapter.reading.labels import read_labels
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.review.carrying import carry_verdicts, learn_labels
from fiftyone_dfaulo.adapter.runs.writer import STAGE as WRITING
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.adapter.scoring.auto import resolve
from fiftyone_dfaulo.adapter.scoring.checks import check
from fiftyone_dfaulo.adapter.scoring.features import ScoringContext
from fiftyone_dfaulo.adapter.scoring.methods import pick_method
from fiftyone_dfaulo.adapter.scoring.models import Model, describe
from fiftyone_dfaulo.adapter.scoring.request import (
    AUTO,
    Request,
    ScoringOptions,
    make_settings,
)
from fiftyone_dfaulo.adapter.scoring.results import make_results
from fiftyone_dfaulo.adapter.targets.kinds import target_to_judge, with_removals
from fiftyone_dfaulo.engine.cluster.connection import open_executor
from fiftyone_dfaulo.engine.progress import Report, Stages, silent
from fiftyone_dfaulo.errors import Cancelled

READING = "Reading labels"


@public
def compute_suspiciousness(
    samples: Samples,
    label_field: str = "ground_truth",
    *,
    brain_key: str = "dfaulo",
    embeddings: ArrayLike | None = AUTO,
    model: Model | None = None,
    predictions: str | None = None,
    method: str = "dfaulo",
    seed: int = 51,
    progress: bool | Callable[[fou.ProgressBar], object] | None = None,
    overwrite: bool = False,
    learn_from: str | None = None,
    cluster: str | None = None,
    **settings: Unpack[ScoringOptions],
) -> DFauLoResults:
    """Scores how likely each label, or its image, is wrong: of samples, or objects.

    Writes four fields, of which the first is indexed, and a brain run that FiftyOne
    lists, renames and deletes together with them:

    ==========================  =====================================================
    ``<key>_suspiciousness``    float in [0, 1], higher is more likely a fault
    ``<key>_suggestion``        Classification: the class that models trained without
                                the suspicious samples see, and their confidence
    ``<key>_reasons``           list of strings: why
    ``<key>_verdict``           string: faulty, correct, unsure, exclude, or None
    ==========================  =====================================================

    If the field holds Detections or Polylines, it is their objects that are scored, by
    what is in their boxes. The four are attributes of the objects then, of which the
    suggestion is the class alone, and the samples' field ``<key>_suspiciousness`` is
    the maximum of their objects'. Objects of Detections that were counted twice, as
    told by how much boxes of one class overlap, get the suggestion ``"(no object)"``;
    where there are some, the samples' field ``<key>_removed`` keeps those that
    corrections remove.

    If the field holds Classifications, several tags a sample, both wrong and missing
    tags are looked for. The four fields are the samples': the suspiciousness is the
    maximum over all tags, the suggestion says which to remove and which to add. Each
    given tag has its own suspiciousness and reasons, and the field ``<key>_missing``
    holds the tags that look missing, Classifications with a confidence of 0.5 or more.

    What has no label, and images that cannot be read, get no score; nor do objects
    whose box has no area or lies outside the image. They are counted and named in the
    results. Either all of the run is written or nothing.

    **Sources together.** Embeddings, several of them too, and a model or predictions
    may be given at once, and ``train=True`` adds a network trained here. Each has heads
    and mutants of its own; they vote together, each by how much it tells of labels that
    it never saw. What one of them lacks is judged by the others. Not of several tags a
    sample, and not with a detector's predictions.

    Args:
        samples: a dataset or view of images, or a view of patches of the label field;
            or a view of the frames of videos, as by ``to_frames(sample_frames=True)``,
            or of patches of it, whose run and fields are then those of the videos.
        label_field: the Classification, Detections or Polylines field with the labels,
            of two classes or more; or the Classifications field with the tags, one at
            least that not all samples have. An empty list says that a sample has none.
        brain_key: the key of the brain run. A DFauLo run of the same key is replaced.
            Of two runs under one key at the same time the later one stands, and the
            other gets a RunError.
        embeddings: where to take embeddings from, rather than training a network on
            the images: the name of a field of vectors, the key of a brain run that
            has embeddings, or an (N, D) array in the order of ``samples``. Of objects:
            an attribute, a brain run on the patches, or an array in their order. Or a
            list of several names: see Sources together. ``"auto"``, where nothing else
            is given, takes all that the dataset has, or for photos a pretrained
            network, whose weights are downloaded once, and trains a network as well
            where that takes minutes; the results' notes say what was used. None is
            none.
        model: the original model, rather than a network trained here: a
            ``torch.nn.Module``; a FiftyOne model; the path of safetensors or a state
            dict with ``factory``, or of a network with ``trust_model_file``; the name
            of a FiftyOne zoo model; or a torchvision architecture, such as
            ``"resnet18"``, with pretrained weights. It is never changed.
        predictions: name of a Classification field whose logits, probabilities or
            confidences serve as the original model. Of objects: of a Detections field
            with a detector's predictions, of any confidence. Then the suspiciousness
            is the probability that the class, the box or the existence of an object is
            wrong, one class is enough, ``<key>_better_box`` is where the object is seen
            (left, top, width, height; fractions of the image), and the samples' field
            ``<key>_missing`` holds Detections that look missing, with a probability of
            0.2 or more as their confidence. These are objects of the run as well, in
            the samples' maximum and in the review. The suggestion is a class,
            ``"(another box)"``, ``"(no object)"`` or ``"(missing object)"``;
            ``<key>_better_boxes`` shows misplaced boxes where they should be, and
            ``<key>_removed`` keeps the objects that corrections remove. ``"auto"``
            trains a detector on the boxes here, whose predictions of each image come
            from training on others; of 3 images or more, better some hundred. A second
            network learns how objects lie in their boxes, and looks at each box.
            ``"look"`` is the same without the detector: faster, but no object is
            missing then. Classes are judged by what is in the boxes, as without
            predictions, and by ``embeddings``, which are not taken beside a field of
            predictions.
            Not with ``classes``, ``depth`` or ``method="paper"``.
        method: ``"dfaulo"``, or ``"paper"`` for the method of Yin et al., "Dynamic
            Data Fault Localization for Deep Neural Networks", ESEC/FSE 2023, step by
            step; that one takes no ``embeddings``, ``model`` or ``predictions``. Of
            several tags a sample, only ``"dfaulo"``, without ``predictions``,
            ``classes``, ``out_of_sample`` and ``depth="full"``.
        seed: non-negative integer that all randomness comes from. Same inputs, seed
            and machine give the same scores to the bit.
        progress: whether to show a progress bar (True/False), FiftyOne's default
            (None), or a function to call with the progress bar instead.
        overwrite: whether a run that holds verdicts may be replaced.
        learn_from: the key of another run on the same labels, whose review this run
            learns from. Its verdicts are carried over, as by :func:`.carry_verdicts`.
            Where each item has one class, heads and mutants learn labels marked faulty
            as suggested, and how many labels are wrong is told by what labels were
            before they were corrected: of corrected labels alone the number would come
            out too low. A network trained here learns the labels as they are.
        cluster: who decodes and embeds images and fits heads: None for this process;
            ``"auto"`` for the Ray cluster that runs, or else for one of this machine's
            cores, started for the call; or a cluster's address. The scores differ by
            rounding. It needs ``pip install 'fiftyone-dfaulo[cluster]'``.
        layer: dotted path of the model's layer whose output is the embedding, or
            whose input with ``"<"`` before it, as FiftyOne's ``embeddings_layer``;
            ``""`` is the model's own output. None finds the input of the last linear
            layer or 1x1 convolution that all logits come from.
        classes: names of the model's or the predictions' classes, in the order of the
            logits. None takes those they state, such as a module's ``classes``, or, if
            there are as many logits as classes, the dataset's in sorted order.
        preprocessing: how images are prepared for the model: a
            :class:`fiftyone_dfaulo.Preprocessing`, torchvision weights or their
            transform. None takes what the model states, or else ImageNet's, which the
            results then note.
        factory: ``"package.module:function"`` that builds the network whose weights
            the model's file holds; it is called without arguments.
        trust_model_file: whether code in the model's file may run. Archives of
            TorchScript and ``torch.export``, and pickled models, are programs and are
            refused without it; give it with every call.
        train: whether a network is trained here as well, where something else is given.
        out_of_sample: whether the model or the predictions never saw these labels; then
            it votes beside the heads.
        depth: ``"head"`` leaves the network as it is; ``"full"`` also trains it, or a
            copy of ``model``, without the most suspicious samples, and lets both vote.
        image_size: side in pixels, 8 to 64, that images are resized to for the
            network trained here; None picks it from the images.
        epochs: how often training goes through the images, at least 1. With many, the
            network learns faulty labels by heart.
        batch_size: images per forward pass; does not change the scores.
        num_workers: threads that decode images; None is one per core, at most 8.
        memory_budget: bytes of decoded images to keep in memory; beyond that they are
            streamed from a temporary file.
        device: torch device, such as ``"cuda:0"``; None picks one.
        cache: ``"keep"`` keeps work on disk: a run that was killed goes on where it was
            when it is called again, and other runs need not do the same work; ``"run"``
            removes it together with the run; ``"none"`` keeps nothing. See
            :func:`fiftyone_dfaulo.clear_cache`.

    Returns:
        :class:`.DFauLoResults`; print it for a summary.

    Raises:
        InputError: if the samples, the field, the embeddings, the model, ``learn_from``
            or a setting cannot be used, there is no such setting, or fewer than two
            classes are left without what cannot be read.
        RunError: if the key or a field of the run is taken, or if the run to be
            replaced holds verdicts and ``overwrite`` is False.
        WeightsError: if pretrained weights are neither cached nor downloadable.
        ClusterError: if the cluster cannot be joined, or loses its workers.

    Examples:
        >>> results = dfaulo.compute_suspiciousness(
        ...     dataset, "ground_truth", embeddings="my_embeddings"
        ... )
        >>> len(results.ids)
        60
        >>> dataset.list_brain_runs()
        ['dfaulo']
    """
    made = make_settings(
        compute_suspiciousness,
        {
            "method": method,
            "seed": seed,
            "model": describe(model),
            "predictions": predictions,
            **settings,
        },
    )
    request = Request(
        samples,
        label_field,
        made,
        brain_key,
        embeddings,
        model,
        overwrite,
        cluster=cluster,
        learn_from=learn_from,
    )
    with _usual_torch():
        check(request)  # before a bar is drawn
    with progress_bar(progress) as report:
        return _run(request, report)


def run(request: Request, report: Report = silent) -> DFauLoResults:
    """:func:`compute_suspiciousness` with settings made and progress reported.

    Args:
        request: what is asked for.
        report: gets the stage and the fraction of the whole; what it raises stops the
            run, and the dataset is as it was.

    Raises:
        InputError, RunError, WeightsError, ClusterError: as there.
    """
    with _usual_torch():
        check(request)
    return _run(request, report)


def _usual_torch() -> AbstractContextManager[None]:
    """Torch as the engine expects it; nobody can have changed it before its import."""
    if "torch" not in sys.modules:
        return nullcontext()
    from fiftyone_dfaulo.engine.device import usual_state

    return usual_state()


def _run(request: Request, report: Report) -> DFauLoResults:
    samples, label_field = request.samples, request.label_field
    whose, settings = request.work_of or samples, request.settings
    work = open_work(whose, request.brain_key, settings.cache)
    target = target_to_judge(samples, label_field, settings)
    request = resolve(request, target)
    method = pick_method(request, target)
    stages = Stages({READING: 1, **method.stages, WRITING: 10}, report)
    with stages.stage(READING):
        labelled = read_labels(samples, label_field, target)
        labelled, notes = learn_labels(
            labelled, samples, target, request.brain_key, request.learn_from
        )
    context = ScoringContext(samples, target, labelled, settings, stages, work)
    with _usual_torch(), open_executor(request.cluster) as executor:
        items, scores = method.score(replace(context, executor=executor))
    scores = replace(scores, notes=(*notes, *scores.notes, *work.notes))
    target = with_removals(target) if items.too_many else target
    results = make_results(request, target, items, scores, stages.seconds)
    written = False
    try:
        with stages.stage(WRITING) as stage_report:
            write_run(results, overwrite=request.overwrite, report=stage_report)
            written = True
    except Cancelled:
        if not written:  # else it came too late: the run is there, and whole
            raise
    if request.learn_from is not None:
        source = request.learn_from
        count = carry_verdicts(samples, request.brain_key, source=source)
        results.notes.append(f"Verdicts carried over from run {source!r}: {count:,}.")
    return results
