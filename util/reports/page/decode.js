// From the texts of a view to images: functions of a voxel (z, y, x) of the box about the head.
'use strict';

async function inflated(text) {
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Response(stream).arrayBuffer();
}

// What util/reports/embedded.py has written: the values of a volume, 0 outside of the mask.
async function decoded(text, [depth, height, width], inside) {
  const bytes = new Uint8Array(await inflated(text.bytes));
  const large = new DataView(await inflated(text.large));
  // A border of zeros before the first slice, row and column spares the loop all questions about borders.
  const row = width + 1, slice = row * (height + 1), codes = new Int32Array(slice * (depth + 1));
  let next = 0, nextLarge = 0;
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0, i = slice * (z + 1) + row * (y + 1) + 1; x < width; x++, i++) {
        if (!inside(z, y, x)) continue;
        let number = bytes[next++];
        if (number === 255) number = large.getInt32(4 * nextLarge++, true);
        const a = codes[i - slice], b = codes[i - row], c = codes[i - 1];
        const twice = codes[i - slice - row] + codes[i - slice - 1] + codes[i - row - 1];
        codes[i] = Math.floor((2 * (a + b + c) - twice) / 3) + (number & 1 ? -(number + 1) / 2 : number / 2);
      }
    }
  }
  const step = text.step;
  return (z, y, x) => step * codes[slice * (z + 1) + row * (y + 1) + x + 1];
}

// Where the HR voxels of the box lie among an axis's n LR voxels, clamped to these as in util/volumes/interpolation.py.
function placesAlong(axis, view) {
  const n = view.lr_size[axis];
  return Array.from({length: view.size[axis]}, (_, i) => {
    const place = (i + view.corner[axis] - view.offset[axis]) / view.rate[axis];
    const clamped = Math.min(Math.max(place, 0), n - 1), low = Math.min(Math.floor(clamped), Math.max(n - 2, 0));
    return {nearest: Math.floor(clamped + 0.5), low, high: Math.min(low + 1, n - 1), share: clamped - low};
  });
}

function interpolations(lr, view) {
  const [alongZ, alongY, alongX] = [0, 1, 2].map((axis) => placesAlong(axis, view));
  const mix = (low, high, share) => low + (high - low) * share;
  const row = (z, y, x) => mix(lr(z, y, x.low), lr(z, y, x.high), x.share);
  const plane = (z, y, x) => mix(row(z, y.low, x), row(z, y.high, x), y.share);
  return {
    LR: (z, y, x) => lr(alongZ[z].nearest, alongY[y].nearest, alongX[x].nearest),
    linear: (z, y, x) => {
      const {low, high, share} = alongZ[z];
      return mix(plane(low, alongY[y], alongX[x]), plane(high, alongY[y], alongX[x]), share);
    },
  };
}

// The images of a view by their titles: {at; step of its values; colour: whether it is an error or a deviation; times:
// shown so many times as large}.
async function imagesOf(view) {
  const everywhere = () => true, {rate} = view;
  const mask = await decoded(view.mask, view.size.map((side, axis) => side / rate[axis]), everywhere);
  const inside = (z, y, x) => mask(Math.floor(z / rate[0]), Math.floor(y / rate[1]), Math.floor(x / rate[2])) > 0;
  const {LR, linear} = interpolations(await decoded(view.LR, view.lr_size, everywhere), view);
  const network = await decoded(view.network, view.size, inside), truth = await decoded(view.truth, view.size, inside);
  const {step} = view.truth, images = {};
  for (const [title, at] of Object.entries({LR, linear, network, truth})) images[title] = {at, step};
  const add = (title, at, its = step, times = 1) => {
    images[times > 1 ? `${title} × ${times}` : title] = {at, step: its, times, colour: true};
  };
  add('linear − truth', (z, y, x) => linear(z, y, x) - truth(z, y, x));
  add('network − truth', (z, y, x) => network(z, y, x) - truth(z, y, x));
  const maps = {};
  for (const name in view.maps) maps[name] = await decoded(view.maps[name], view.size, inside);
  if (maps.intrinsic && maps.parameter) {
    add('deviation', (z, y, x) => Math.hypot(maps.intrinsic(z, y, x), maps.parameter(z, y, x)),
        view.maps.intrinsic.step);
  }
  for (const name in maps) {  // one that is far smaller would look empty on the scale of the errors
    const times = Math.floor(view.limit / view.maps[name].brightest);
    add(name, maps[name], view.maps[name].step, times >= 3 && Number.isFinite(times) ? times : 1);
  }
  return {images, inside};
}
