"""The handshapes that the synthetic recordings are made of, in degrees, designed for this project.

Each is written as anatomical angles and was looked at on the open hand; where thumb and fingers meet, the thumb was
then moved until the open hand's fingers (taken as rounded cones) touch and no longer pass through each other. They are
made up: no recording and no licensed model went into them.

``a`` to ``y`` approximate the American manual alphabet (J and Z are movements, P and Q are K and G with another wrist,
so they are not listed); grasps follow the kinds of Feix et al., "The GRASP taxonomy of human grasp types" (2016).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from data_tools.pose_layout import FINGERS

_TABLE = """
# name     index: MCP PIP DIP abd | middle        | ring          | little        | thumb: opp add lift MCP IP
a           80  98 64  -1 | 82 100 66   0 | 84 100 66   1 | 84  98 65   3 |  30  13  11   7   8
b            3   4  3   2 |  3   4  3   0 |  3   4  3  -3 |  4   5  3  -5 |  72   2   0  40  40
c           38  46 30   2 | 40  48 32   0 | 42  50 33  -3 | 44  48 32  -5 |  55  -4   8  10  22
d            4   4  4   0 | 60  65 44   0 | 66  72 46  -2 | 68  72 46  -3 |  59 -12  -1  30  35
e           50 100 70   0 | 52 102 70   0 | 54 102 70  -1 | 54  98 70  -2 |  77 -12   9  42  44
f           52  58 30   2 |  8  10  6  -2 |  5   6  4   4 |  3   5  3   9 |  35  -4   2  25  24
g           62   8  5  -2 | 80 100 66   0 | 80 100 66   0 | 80 100 66   0 |  36   6   4   8   6
h           62   6  4   3 | 62   8  5  -3 | 80 100 66   0 | 80 100 66   0 |  68   0   9  39  39
i           80 100 66   0 | 80 100 66   0 | 82  98 64   0 |  6   5  4   6 |  76 -14  16  40  34
k            6   6  4  -5 | 42   8  5   3 | 80 100 66   0 | 80 100 66   0 |  47  21   9  18   9
l            4   4  3  -4 | 80 100 66   0 | 80 100 66   0 | 80 100 66   0 |   4  -6   4   4   4
m           74  72 44   0 | 74  72 45   0 | 72  74 46   0 | 84  98 64   0 |  98   8  -1  57  25
n           74  74 46   0 | 75  76 46   0 | 84 100 66   0 | 84  98 64   0 |  93  19   8  49  34
o           47  57 34   2 | 52  60 36   0 | 56  62 36  -3 | 58  60 36  -6 |  58 -10   4  26  31
r           13   6  4   8 |  2  10  6 -12 | 80 100 66   0 | 80 100 66   0 |  77  -9  11  44  34
s           80 100 66   0 | 84 102 66   0 | 86 102 66   1 | 86 100 64   3 |  86 -17  29  49  25
t           56  77 50  -8 | 83 100 66   6 | 80 100 66   0 | 80 100 66   0 |  58  17  11  27   5
u            3   4  3   4 |  3   4  3  -3 | 80 100 66   0 | 80 100 66   0 |  77  -9  11  44  34
v            3   4  3  -9 |  3   4  3   8 | 80 100 66   0 | 80 100 66   0 |  77  -9  11  44  34
w            3   4  3  -9 |  3   4  3   0 |  5   5  3   8 | 74  88 58   2 |  83   0   2  45  42
x           12  82 50   0 | 80 100 66   0 | 80 100 66   0 | 80 100 66   0 |  77 -13  10  42  31
y           80 100 66   0 | 80 100 66   0 | 82  98 64   0 |  4   4  3  13 |  -4  -8  10   4   4

relaxed     24  28 13  -1 | 29  33 16   0 | 33  36 18   1 | 34  36 19   3 |  20  -2   2  12  14
curled      38  44 24   0 | 42  48 28   0 | 46  52 30   0 | 48  52 30   2 |  34   2   4  16  22
flat         4   4  3   2 |  4   4  3   0 |  4   5  3  -2 |  5   6  4  -4 |  10  10   2   8   6
spread       2   3  2 -12 |  2   3  2  -1 |  2   3  2   8 |  3   4  2  14 |  -6  -4   8   2   2
open_palm   12  14  8  -6 | 14  16  9   0 | 16  18 10   4 | 16  18 10   8 |  10  -6   4   8  10
bent_flat   72   8  5   2 | 74   8  5   0 | 74   9  5  -2 | 72  10  6  -4 |  44   5   6   9  10
cupped      34  30 18   2 | 36  32 20   0 | 38  34 20  -2 | 38  34 20  -4 |  34  12   2  14  16
claw        14  66 40  -8 | 14  70 44   0 | 16  70 44   5 | 18  66 42  11 |  26  -8   6  22  36
point        4   5  4   0 | 78  92 60   0 | 82  96 62   0 | 82  94 60   2 |  63  -5   8  33  32
fist        82 100 66  -1 | 84 102 66   0 | 86 102 66   2 | 86 100 64   4 |  87 -20  33  56  26
loose_fist  53  70 46  -1 | 59  77 48   1 | 66  80 50   1 | 66  78 48   3 |  43   7  21  53  44
thumb_up    78  98 62  -1 | 82 100 64   0 | 84 100 64   1 | 84  98 62   3 |   2   4  14   2   2
three        4   5  3  -9 |  4   5  3   4 | 80 100 66   0 | 80 100 66   0 |   0  -6   6   4   4
four         4   5  3  -9 |  4   5  3  -1 |  5   6  4   6 |  5   6  4  12 |  74   4   0  42  40
horns        4   4  3  -5 | 80 100 66   0 | 80 100 66   0 |  5   5  4  10 |  81 -14   9  45  34
love         4   4  3  -5 | 80 100 66   0 | 80 100 66   0 |  5   5  4  10 |   0  -8   6   4   4
ok          44  52 27   0 | 12  14  8   0 |  6   8  5   5 |  4   6  4  10 |  28  -1   6  27  25
pinch       48  46 26   0 | 42  42 22   0 | 44  44 23   0 | 46  44 23   1 |  30  -2   4  25  23
purse       55  38 22   3 | 58  40 22   0 | 60  42 24  -4 | 62  42 26  -8 |  60  -6  -4  16  19
knife        6   5  4   3 |  6   5  4   0 |  6   6  4  -3 |  7   7  5  -6 |  33  28  10  20  30
mudra       51  62 34   0 | 10  10  6   0 |  8   9  6   1 |  7   8  6   3 |  35  -5   2  25  28

keys        26  36 18  -3 | 30  38 20   0 | 30  38 20   2 | 26  32 18   8 |  22   0   2   8  12
fret_low    44  62 30  -4 | 50  66 34   0 | 54  64 34   3 | 48  56 30   6 |  62   0  -2  11  16
fret_wide   30  58 28 -10 | 44  60 32  -2 | 50  58 32   6 | 36  44 24  13 |  58   2   2  10  14
barre       26  10  6  -3 | 52  66 36   0 | 58  62 34   3 | 60  56 32   6 |  60   0   2  10  14

cylinder    40  50 28  -3 | 44  54 30   0 | 48  56 32   2 | 50  54 30   5 |  62  -6   6  16  22
handle      62  80 44  -1 | 68  86 48   0 | 72  88 50   1 | 74  84 48   4 |  73 -14  10  34  33
sphere      30  44 26  -9 | 30  46 28   0 | 34  46 28   7 | 36  44 28  13 |  56 -14   6  14  24
box         42  18 10  -4 | 44  18 10   0 | 44  18 10   3 | 44  18 10   8 |  54 -12   4   8  10
disk        34  52 26  -8 | 36  54 28   0 | 36  52 26   7 | 34  46 24  14 |  48 -10   6  18  28
precision   50  42 22   0 | 24  28 16   0 | 18  22 12   4 | 14  18 10   9 |  34  -3   4  23  24
tripod      47  50 26   1 | 54  58 34  -1 | 62  72 44   0 | 64  72 44   2 |  45  -3  -2  26  31
lateral     49  57 33  -6 | 65  77 46   4 | 68  80 50   1 | 70  80 50   3 |  39  19  -3  18   7
hook        12  80 48   0 | 12  84 50   0 | 14  84 50   0 | 16  80 48   2 |  22   4   4  12  14
plate       18  16  8  -6 | 18  16  8   0 | 20  16  8   4 | 22  18  8   9 |  34 -12   2   8   8
scissors    34  44 24  -5 | 40  52 28   2 | 62  76 48   0 | 64  76 48   2 |  44  -8   4  18  24
phone       26  34 18  -4 | 36  40 22   0 | 40  44 24   2 | 44  44 24   6 |  48   0   2  10  24
trigger     26  40 18  -2 | 64  82 46   0 | 70  86 48   1 | 72  82 46   4 |  56   4   6  20  14
"""

_TABLE_FINGERS = ("index", "middle", "ring", "pinky", "thumb")


def _angles_of(row: str) -> Float[np.ndarray, "15 3"]:
    """Place one line of the table into (joint, angle) slots; degrees."""
    angles = np.zeros((15, 3))
    for finger, text in zip(_TABLE_FINGERS, row.split("|"), strict=True):
        first = 3 * FINGERS.index(finger)
        values = [float(value) for value in text.split()]
        if finger == "thumb":
            angles[first], angles[first + 1, 0], angles[first + 2, 0] = values[:3], values[3], values[4]
        else:
            angles[first, 0], angles[first + 1, 0], angles[first + 2, 0], angles[first, 1] = values
    return angles


def _read_table() -> dict[str, Float[np.ndarray, "15 3"]]:
    rows = [line.split(maxsplit=1) for line in _TABLE.splitlines() if line and not line.startswith("#")]
    return {name: np.deg2rad(_angles_of(row)) for name, row in rows}


HANDSHAPES: dict[str, Float[np.ndarray, "15 3"]] = _read_table()
"""Anatomical angles of a hand by name, radians, in the axes of :mod:`.joint_axes`."""

ALPHABET: tuple[str, ...] = tuple(name for name in HANDSHAPES if len(name) == 1)
"""The letters of the manual alphabet that are still shapes."""


def opened(shape: Float[np.ndarray, "15 3"]) -> Float[np.ndarray, "15 3"]:
    """The hand that a person forms on the way to a grasp: fingers half open and spread wider, thumb already opposed.

    Preshaping opens the hand beyond the object and closes on it: Jeannerod, "The timing of natural prehension
    movements" (1984).
    """
    wider = shape.copy()
    wider[:, 0] *= 0.5
    wider[::3, 1] = np.clip(1.25 * shape[::3, 1], *np.deg2rad((-14.0, 14.0)))
    thumb = 3 * FINGERS.index("thumb")
    wider[thumb] = shape[thumb] * (0.8, 1.0, 1.0) + np.deg2rad((0.0, -4.0, 3.0))
    return wider
