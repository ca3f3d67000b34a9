// What mouse, keyboard and buttons do to the viewer's state.
'use strict';

function moveTo(voxel) {
  state.cursor = voxel.map((place, axis) => clamp(place, 0, state.view.size[axis] - 1));
  redraw();
}

function step(axis, by) {
  const voxel = [...state.cursor];
  voxel[axis] += by;
  moveTo(voxel);
}

function zoomBy(factor) {  // about the cursor, which stays where it is on the canvas
  const zoom = clamp(state.zoom * factor, 1, 32);
  const middle = state.view.size.map((side) => (side - 1) / 2);
  state.centre = state.centre.map((centre, axis) => zoom === 1 ? middle[axis]
    : state.cursor[axis] + (centre - state.cursor[axis]) * state.zoom / zoom);
  state.zoom = zoom;
  redraw();
}

function show(title) {
  if (title !== state.shown) [state.other, state.shown] = [state.shown, title];
  redraw();
}

const swap = () => show(state.other);
let flickering = null;
function flicker() {
  if (flickering) clearInterval(flickering);
  flickering = flickering ? null : setInterval(swap, 500);
  byId('flicker').setAttribute('aria-pressed', Boolean(flickering));
}

function listenToPlane(figure, plane) {
  const canvas = figure.querySelector('canvas'), [fixed, right, up] = PLANES[plane];
  let last = null;
  canvas.addEventListener('pointerdown', (event) => {
    state.plane = plane;
    last = [event.clientX, event.clientY];
    canvas.setPointerCapture(event.pointerId);
    if (event.button === 0 && !event.shiftKey) follow(event);
    event.preventDefault();
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!event.buttons || !last) return;
    const [x, y] = [event.clientX - last[0], event.clientY - last[1]];
    last = [event.clientX, event.clientY];
    if (event.buttons & 2 || event.shiftKey) widen(x, y);
    else if (event.buttons & 4) pan(x, y);
    else follow(event);
  });
  canvas.addEventListener('pointerup', () => { last = null; });
  canvas.addEventListener('contextmenu', (event) => event.preventDefault());
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    state.plane = plane;
    if (event.ctrlKey) zoomBy(event.deltaY < 0 ? 1.2 : 1 / 1.2);
    else step(fixed, event.deltaY < 0 ? 1 : -1);
  }, {passive: false});
  figure.querySelector('input').addEventListener('input', (event) => {
    state.plane = plane;
    step(fixed, Number(event.target.value) - state.cursor[fixed]);
  });

  const follow = (event) => {
    const bounds = canvas.getBoundingClientRect(), pixels = canvas.width / bounds.width;
    moveTo(layoutOf(canvas, plane).voxelAt((event.clientX - bounds.left) * pixels,
                                           (event.clientY - bounds.top) * pixels));
  };
  const widen = (x, y) => {  // to the right: more contrast; up: brighter
    const width = state.white - state.black, middle = (state.white + state.black) / 2 + y * width / 300;
    const half = width * Math.exp(-x / 200) / 2;
    Object.assign(state, {black: middle - half, white: middle + half});
    redraw();
  };
  const pan = (x, y) => {
    const {across, along} = layoutOf(canvas, plane);
    state.centre[right] -= x * devicePixelRatio / across;
    state.centre[up] += y * devicePixelRatio / along;
    redraw();
  };
}

function listenToKeys(event) {
  if (event.target.matches('input[type=number], select') || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches('input[type=range]') && event.key.startsWith('Arrow')) return;  // moves it by itself
  const [fixed, right, up] = PLANES[state.plane], titles = Object.keys(state.images);
  const actions = {
    ArrowRight: () => step(right, 1), ArrowLeft: () => step(right, -1), ArrowUp: () => step(up, 1),
    ArrowDown: () => step(up, -1), PageUp: () => step(fixed, 1), PageDown: () => step(fixed, -1), ' ': swap,
    '+': () => zoomBy(1.2), '=': () => zoomBy(1.2), '-': () => zoomBy(1 / 1.2), 0: () => zoomBy(0), f: flicker,
  };
  const action = actions[event.key] || (titles[event.key - 1] && (() => show(titles[event.key - 1])));
  if (!state.view || !action) return;
  event.preventDefault();
  action();
}

function makeGallery() {
  byId('gallery').replaceChildren(...Object.keys(state.images).map((title, index) => {
    const card = byId('card').content.firstElementChild.cloneNode(true);
    card.dataset.title = title;
    card.querySelector('.title').textContent = `${index + 1}  ${title}`;
    card.addEventListener('click', () => show(title));
    return card;
  }));
}

function resetWindow() {
  const {window: [black, white], limit} = state.view;
  Object.assign(state, {black, white: white > black ? white : black + 1, limit});
  redraw();
}

let opened = null;
async function open(element) {
  byId('shown').textContent = 'reading …';
  opened = element;
  const view = JSON.parse(element.textContent), read = await imagesOf(view);
  if (opened !== element) return;  // another case was chosen meanwhile
  Object.assign(state, read, {view});  // the images of the case before are let go
  state.centre = view.size.map((side) => (side - 1) / 2);
  state.cursor = view.size.map((side) => Math.floor(side / 2));
  state.zoom = 1;
  for (const plane in PLANES) byId(plane).querySelector('input').max = view.size[PLANES[plane][0]] - 1;
  for (const title of ['shown', 'other']) if (!state.images[state[title]]) state[title] = 'network';
  byId('precision').textContent =
    `Kept are the voxels of the head, as found in LR, and an LR voxel about it; of what lies beyond, nothing is. `
    + `Values are right to ± ${view.truth.step / 2} in LR, network and truth`
    + Object.entries(view.maps).map(([name, map]) => `, ± ${(map.step / 2).toPrecision(2)} in ${name}`).join('')
    + '. Linear interpolation, errors and a deviation of two parts are computed from these; errors are right to twice as much.';
  makeGallery();
  resetWindow();
}

function start() {
  byId('theme').addEventListener('click', () => {
    document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
    redraw();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  const views = [...document.querySelectorAll('script.view')], cases = byId('cases');
  if (!views.length) return;
  cases.replaceChildren(...views.map((view) => new Option(view.dataset.name)));
  const openCase = () => open(views[cases.selectedIndex]).catch((error) => {
    byId('shown').textContent = `cannot be shown by this browser: ${error}`;
  });
  cases.addEventListener('change', openCase);
  for (const plane in PLANES) listenToPlane(byId(plane), plane);
  for (const id of ['black', 'white', 'limit']) {
    byId(id).addEventListener('input', (event) => { state[id] = Number(event.target.value); redraw(); });
  }
  byId('reset').addEventListener('click', resetWindow);
  byId('swap').addEventListener('click', swap);
  byId('flicker').addEventListener('click', flicker);
  document.addEventListener('keydown', listenToKeys);
  document.addEventListener('keyup', (event) => {  // or space would also press the button that was clicked last
    if (event.key === ' ' && event.target.matches('button')) event.preventDefault();
  });
  addEventListener('resize', redraw);
  openCase();
}

start();
