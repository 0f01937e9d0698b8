// How usual a decoded pose is to its prior (densities.py, bounds.py), and where that lies among held-out poses.

function logSumExp(terms) {
  const most = Math.max(...terms);
  return most + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - most), 0));
}

const squared = (x) => x.reduce((sum, value) => sum + value * value, 0);

/** Angle between the rotation of a rotation vector and that whose first two columns `a` and `b` nearly are, from its sine
 * and its cosine: exact at 0 and at pi, too. */
function angleBetween(vector, a, b) {
  const m = matrixOf(...vector), seen = (v) => [0, 1, 2].map((k) => m[k] * v[0] + m[3 + k] * v[1] + m[6 + k] * v[2]);
  const [x, y, z] = matrixOfColumns(seen(a), seen(b));
  return Math.atan2(Math.hypot(y[2] - z[1], z[0] - x[2], x[1] - y[0]), x[0] + y[1] + z[2] - 1);
}

// Log-likelihoods of a pose: `known` is what they need of it, `of` goes with what the decoder says.
const LIKELIHOODS = {
  normal: {
    known: (pose, { inner }) => worked(inner, pose),
    of(x, said, { sigma, numbers: { floor, least, most } }) {
      return x.reduce((sum, value, k) => {
        const raw = said[x.length + k];
        const s = sigma ? sigma[k] : Math.sqrt(Math.exp(Math.min(Math.max(raw, least), most)) + floor * floor);
        return sum - ((value - said[k]) / s) ** 2 / 2 - Math.log(s);
      }, 0);
    },
  },
  geodesic: {
    known(pose, { inner, columns, numbers: { joints } }) {
      const vectors = Array.from({ length: joints }, (_, joint) => Array.from(part(columns, joint, 3), (column) => pose[column]));
      const half = vectors.map((vector) => Math.hypot(...vector) / 2);
      const volume = half.reduce((sum, angle) => sum + (angle > 1e-6 ? 2 * Math.log(Math.sin(angle) / angle) : 0), 0);
      return { vectors, volume, slid: worked(inner, pose) };
    },
    of({ vectors, volume, slid }, said, { sharpness, sigma, numbers: { joints, first } }) {
      const six = (joint) => [0, 1, 2, 3, 4, 5].map((k) => said[k * joints + joint]);
      const apart = (vector, joint) => angleBetween(vector, six(joint).slice(0, 3), six(joint).slice(3));
      const turned = vectors.reduce((sum, vector, joint) => sum - sharpness[joint] * apart(vector, joint) ** 2, volume);
      return slid.reduce((sum, value, k) => sum - ((value - said[first + k]) / sigma[k]) ** 2 / 2, turned);
    },
  },
};

// Energies of a decoded pose, nats per frame; null where one is not known.
const ENERGIES = {
  sum({ normals, flow }, { pose, note }, latent) {
    if (flow !== null && note.turned) return null;
    const terms = normals.map(({ height, map }) => height - squared(worked(map, pose, note)) / 2);
    if (flow !== null) terms.push(flow + note.slope - squared(latent) / 2);
    return -logSumExp(terms);
  },
  /** Draws about where the encoder sees the pose, each weighed by how well the pose fits what is decoded there. */
  bound({ posterior, decoder, likelihood: [likelihood], noise, draws, constant }, { pose }) {
    const axes = noise.length / draws, said = worked(posterior, pose), { known, of } = LIKELIHOODS[likelihood.kind];
    const mean = said.subarray(0, axes), logVariance = said.subarray(axes).map((value) => Math.min(Math.max(value, -10), 5));
    const found = known(pose, likelihood);
    const terms = Array.from({ length: draws }, (_, draw) => {
      const drawn = Float64Array.from(part(noise, draw, axes));
      const latent = mean.map((value, k) => value + Math.exp(logVariance[k] / 2) * drawn[k]);
      const ratio = latent.reduce((sum, value, k) => sum + drawn[k] ** 2 + logVariance[k] - value ** 2, 0) / 2;
      return ratio + of(found, worked(decoder, latent), likelihood);
    });
    return -(logSumExp(terms) + constant);
  },
};

/** What ENERGIES take, its steps and arrays in place. */
function linkedDensity(density, arrays) {
  const steps = (some) => linked(some, arrays);
  if (density.kind === "sum") return { ...density, normals: density.normals.map(([height, map]) => ({ height, map: steps([map]) })) };
  const { posterior, decoder, likelihood, noise } = density;
  return { ...density, posterior: steps(posterior), decoder: steps(decoder), likelihood: steps(likelihood), noise: arrays[noise] };
}

/** Energy of a decoded pose, nats per frame; null where it is not known. */
function energyOf(density, shown, latent) {
  const energy = ENERGIES[density.kind](density, shown, latent);
  return Number.isFinite(energy) ? energy : null;
}

/** Shows how usual a decoded pose is among held-out ones, in the words of figures.py. */
function gaugeOf(element, { span: [low, high], density }, arrays) {
  const judged = linkedDensity(density, arrays), heldOut = arrays.held_out;
  const gauge = element.querySelector(".hp-gauge"), words = element.querySelector("[data-text=verdict]");
  function said(energy) {
    const share = heldOut.filter((other) => other > energy).length / heldOut.length;
    const figure = `(${energy.toFixed(1).replace(/^-(0\.0)$/, "$1").replace("-", "\u2212")} nats)`;
    if (share >= 0.995) return `more usual than nearly every held-out pose ${figure}`;
    if (share <= 0.005) return `less usual than nearly every held-out pose ${figure}`;
    return `more usual than ${(100 * share).toFixed(0)} % of held-out poses ${figure}`;
  }
  function judge(shown, latent) {
    const energy = energyOf(judged, shown, latent);
    element.dataset.energy = energy ?? "";
    gauge.style.setProperty("--mark", energy === null ? -1 : Math.min(Math.max((energy - low) / (high - low), 0), 1));
    words.textContent = energy === null ? "not judged: a joint is turned by more than half a circle" : said(energy);
  }
  if (density.kind !== "bound") return judge;
  let waiting = 0; // a bound takes many times as long as the picture: it is worked out once the hands rest
  return (shown, latent) => {
    clearTimeout(waiting);
    waiting = setTimeout(judge, 80, shown, Float64Array.from(latent));
  };
}
