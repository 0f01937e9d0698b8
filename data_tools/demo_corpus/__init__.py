"""The embedded corpus: 53 synthetic datasets, so that everything runs with no download.

Nothing here was recorded, and no recording or licensed model went into it. Hand-designed shapes
(:mod:`.handshapes`, in the anatomical axes of :mod:`.joint_axes`) are put in turn by a score (:mod:`.score`), chased by
critically damped lags (:mod:`.motion`), made personal (:mod:`.people`, :mod:`.hands`), carried by a body
(:mod:`.body`), cast in characters for each dataset (:mod:`.characters`, :mod:`.datasets`), damaged as real recordings
are (:mod:`.flaws`, :mod:`.recording`) and written in the users' own format (:mod:`.writing`). :mod:`.as_store` packs
it, too.

Example:
    >>> from data_tools import demo_corpus
    >>> corpus = demo_corpus.write("data/demo", frames=60_000)  # doctest: +SKIP
    >>> sum(sequence.is_live for sequence in corpus.truth)  # doctest: +SKIP
"""

from __future__ import annotations

from data_tools.demo_corpus.as_store import packed
from data_tools.demo_corpus.flaws import Flaw
from data_tools.demo_corpus.recording import SequenceTruth
from data_tools.demo_corpus.writing import DemoCorpus, write

__all__ = ["DemoCorpus", "Flaw", "SequenceTruth", "packed", "write"]
