// The viewer: three planes through one cursor, and all images of one of them side by side.
'use strict';

const byId = (id) => document.getElementById(id);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
// Of a scan that is stored as most are: the axis that a plane stands on, and those that lead to the right and up; axes
// are 0, 1, 2 for z, y, x.
const PLANES = {axial: [0, 2, 1], coronal: [1, 2, 0], sagittal: [2, 1, 0]};
// by where the axis leads that a plane stands on
const NAMES = {S: 'axial', I: 'axial', A: 'coronal', P: 'coronal', R: 'sagittal', L: 'sagittal'};
const OPPOSITE = {R: 'L', L: 'R', A: 'P', P: 'A', S: 'I', I: 'S'};

const state = {view: null, images: {}, shown: 'network', other: 'truth', plane: 'axial', cursor: [0, 0, 0],
               zoom: 1, centre: [0, 0, 0], black: 0, white: 1, limit: 1};

// The scale of a canvas, and the place of a voxel's centre on it. The page's tests ask this as well.
function layoutOf(canvas, plane) {
  const [, right, up] = PLANES[plane], {size, spacing} = state.view;
  const fit = Math.min(canvas.width / (size[right] * spacing[right]), canvas.height / (size[up] * spacing[up]));
  const across = fit * state.zoom * spacing[right], along = fit * state.zoom * spacing[up];
  const left = canvas.width / 2 - (state.centre[right] + 0.5) * across;
  const bottom = canvas.height / 2 + (state.centre[up] + 0.5) * along;
  return {across, along, left, bottom,
          pixelOf: (voxel) => [left + (voxel[right] + 0.5) * across, bottom - (voxel[up] + 0.5) * along],
          voxelAt: (x, y) => {
            const voxel = [...state.cursor];
            voxel[right] = clamp(Math.floor((x - left) / across), 0, size[right] - 1);
            voxel[up] = clamp(Math.floor((bottom - y) / along), 0, size[up] - 1);
            return voxel;
          }};
}

const isDark = () => getComputedStyle(document.documentElement).colorScheme === 'dark';

// Grey between black and white; an error from blue over the page's own ground to red.
function colourOf(value, image, dark) {
  if (!image.colour) {
    const grey = 255 * clamp((value - state.black) / (state.white - state.black), 0, 1);
    return [grey, grey, grey];
  }
  const share = clamp(value * image.times / state.limit, -1, 1), end = share > 0 ? [214, 39, 40] : [31, 119, 220];
  const ground = dark ? 24 : 247;
  return end.map((channel) => ground + (channel - ground) * Math.abs(share));
}

function draw(canvas, plane, title) {
  const pixels = devicePixelRatio, wide = Math.round(canvas.clientWidth * pixels);
  const high = Math.round(canvas.clientHeight * pixels);
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, {width: wide, height: high});
  const [fixed, right, up] = PLANES[plane], {size} = state.view, image = state.images[title], dark = isDark();
  const picture = new ImageData(size[right], size[up]), voxel = [];
  voxel[fixed] = state.cursor[fixed];
  for (let row = 0, i = 0; row < size[up]; row++) {
    voxel[up] = size[up] - 1 - row;
    for (let column = 0; column < size[right]; column++, i += 4) {
      voxel[right] = column;
      const [z, y, x] = voxel;
      if (!state.inside(z, y, x)) continue;  // nothing is kept there, and the ground of the canvas shows
      const [r, g, b] = colourOf(image.at(z, y, x), image, dark);
      picture.data[i] = r; picture.data[i + 1] = g; picture.data[i + 2] = b; picture.data[i + 3] = 255;
    }
  }
  const small = new OffscreenCanvas(size[right], size[up]), context = canvas.getContext('2d');
  small.getContext('2d').putImageData(picture, 0, 0);
  const {across, along, left, bottom, pixelOf} = layoutOf(canvas, plane);
  context.clearRect(0, 0, wide, high);
  context.imageSmoothingEnabled = false;  // voxels as they are
  context.drawImage(small, left, bottom - along * size[up], across * size[right], along * size[up]);
  const [x, y] = pixelOf(state.cursor);
  context.fillStyle = 'rgba(255, 170, 0, 0.55)';
  context.fillRect(Math.round(x), 0, 1, high);
  context.fillRect(0, Math.round(y), wide, 1);
}

let waiting = false;
function redraw() {  // once per frame, however many events there were
  if (!waiting) requestAnimationFrame(redrawNow);
  waiting = true;
}

function redrawNow() {
  waiting = false;
  if (!state.view) return;
  const {view, cursor, plane} = state;
  for (const name in PLANES) {
    const [fixed, right, up] = PLANES[name], figure = byId(name), axes = view.axes;
    draw(figure.querySelector('canvas'), name, state.shown);
    figure.classList.toggle('active', name === plane);
    figure.querySelector('input').value = cursor[fixed];
    figure.querySelector('b').textContent = NAMES[axes[fixed]];  // the body's, however the voxels are stored
    figure.querySelector('.ends').textContent =
      `${OPPOSITE[axes[right]]} → ${axes[right]}, ${OPPOSITE[axes[up]]} ↑ ${axes[up]}`;
    figure.querySelector('.slice').textContent = `${'zyx'[fixed]} = ${cursor[fixed] + view.corner[fixed]}`;
  }
  for (const card of byId('gallery').children) {
    const title = card.dataset.title, {at, step} = state.images[title];
    draw(card.querySelector('canvas'), plane, title);
    card.classList.toggle('active', title === state.shown);
    card.classList.toggle('other', title === state.other);
    const digits = clamp(Math.ceil(-Math.log10(step)), 0, 20);  // no more than are right
    card.querySelector('.value').textContent = state.inside(...cursor) ? at(...cursor).toFixed(digits) : 'not kept';
  }
  byId('shown').textContent = state.shown;
  byId('other').textContent = state.other;
  for (const id of ['black', 'white', 'limit']) {
    if (document.activeElement !== byId(id)) byId(id).value = Number(state[id].toPrecision(4));
  }
  byId('zoom').textContent = `× ${state.zoom.toFixed(1)}`;
  byId('place').textContent = 'voxel x, y, z = ' + [2, 1, 0].map((axis) => cursor[axis] + view.corner[axis]).join(', ');
}
