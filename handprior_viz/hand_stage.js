// Where live hands and their camera stand: what stage.py says in Python, and the turns and steps a person makes from there.

// Radians and shares of the distance at rest; x and y in metres shift what the camera looks at.
const REST = { yaw: 0, mirror: 0, pitch: 0, zoom: 1, x: 0, y: 0 };

/** The views that buttons and keys lead to. */
function presetsOf(stage) {
  return Object.fromEntries(Object.entries(stage.turns).map(([name, turn]) => [name, { ...REST, mirror: turn }]));
}

/** Where the camera stands so that a box of this shape holds both hands. */
function cameraOf(stage, view, width, height) {
  const focal = 1 / Math.tan(stage.field_of_view / 2);
  const distance = Math.max((stage.half_width * height) / width, stage.half_height) * focal * view.zoom;
  return { focal, distance, eye: [view.x, stage.middle + view.y, distance], lens: [(focal * height) / width, focal, 0.02, distance + 1] };
}

/** Where a point of a hand is seen: pixels from the upper left corner of the box, and how far it is. */
function seenAt(point, side, stage, camera, width, height) {
  const p = [0, 1, 2].map((row) => [0, 1, 2].reduce((sum, column) =>
    sum + side.turn[row + 3 * column] * (point[column] - side.axis[column]), side.place[row]));
  const away = camera.distance - p[2];
  const scale = (camera.focal * height) / 2 / away;
  return [width / 2 + scale * (p[0] - camera.eye[0]), height / 2 - scale * (p[1] - camera.eye[1]), away, scale];
}

/** Where L and R stand: below the wrists. */
function sidePlaces(stage, sides, camera, width, height) {
  return sides.map((side) => seenAt([side.axis[0], stage.wrist_end, 0], side, stage, camera, width, height));
}

/** How each hand stands: every hand turns about its own axis, as in stage.py; a body, which has no left part, about its
 * own. Matrices are column by column. */
function standing(view, stage, hands) {
  return (hands ? [-1, 1] : [1]).map((sign) => {
    const angle = view.yaw + sign * view.mirror;
    const [c, s, cp, sp] = [Math.cos(angle), Math.sin(angle), Math.cos(view.pitch), Math.sin(view.pitch)];
    const gap = stage.palm_gap + ((1 - c) / 2) * (stage.back_gap - stage.palm_gap);
    return {
      turn: [c, sp * s, -cp * s, 0, cp, sp, s, -sp * c, cp * c],
      axis: [sign * stage.palm_gap, stage.middle, 0],
      place: [sign * gap, stage.middle, 0],
      left: sign < 0,
    };
  });
}

function colourOf(hex, opacity) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).concat(opacity);
}
