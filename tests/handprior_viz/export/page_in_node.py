"""A live page's own functions, worked without a browser by the Node.js that comes with playwright."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import playwright
from jaxtyping import Float

_NODE = Path(playwright.__file__).parent / "driver" / "node"

_WORK = """
const fs = require("fs");
const { path, latents } = JSON.parse(fs.readFileSync(0, "utf-8"));
const html = fs.readFileSync(path, "utf-8");
const text = (id) => html.split(`id="${id}">`)[1].split("</script>")[0];
const script = html.split("<script>").at(-1).split("start(JSON.parse(")[0];
const { unpack, linked, decode, handsOf, linkedDensity, energyOf, skin } =
  new Function(`${script}; return { unpack, linked, decode, handsOf, linkedDensity, energyOf, skin };`)();
(async () => {
  const page = JSON.parse(text("page")), arrays = await unpack(page.arrays, text("arrays"));
  const steps = linked(page.steps, arrays), density = page.gauge && linkedDensity(page.gauge.density, arrays);
  console.log(JSON.stringify(latents.map((latent) => {
    const decoded = decode(steps, latent), hands = handsOf(page, decoded);
    const vertices = new Float32Array((4 * arrays.vertices.length) / 3);
    skin(arrays, page.parents, hands, vertices, new Float32Array(126));
    return { hands: [...hands], vertices: [...vertices], energy: density ? energyOf(density, decoded, latent) : null };
  })));
})();
"""


@dataclass(frozen=True, eq=False)
class Shown:
    """What a page shows at some latents.

    Attributes:
        hands: Radians, left hand first.
        vertices: Metres.
        energies: Nats per frame; not a number where the page does not know.
    """

    hands: Float[np.ndarray, "latents 90"]
    vertices: Float[np.ndarray, "latents V 3"]
    energies: Float[np.ndarray, "latents"]


def shown(path: Path, latents: Float[np.ndarray, "latents axes"]) -> Shown:
    """Decode and skin as the page at this path does."""
    asked = json.dumps({"path": str(path), "latents": latents.tolist()})
    done = subprocess.run([str(_NODE), "-e", _WORK], input=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    vertices = np.array([one["vertices"] for one in found]).reshape(len(found), -1, 4)[..., :3]
    energies = np.array([one["energy"] for one in found], np.float64)
    return Shown(np.array([one["hands"] for one in found]), vertices, energies)
