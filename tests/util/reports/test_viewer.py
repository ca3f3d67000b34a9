"""The report in a real browser: what it draws are the planes of the volumes, and mouse and keys do what they should."""
import numpy
import pytest

from tests.util.reports.browser import browsing, find_browser
from tests.util.reports.results import make_results
from util.volumes.interpolation import upsample
from util.volumes.reading import read_volume

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_browser() is None, reason='no Chromium is on this machine')]
PLANES = {'axial': (0, 2, 1), 'coronal': (1, 2, 0), 'sagittal': (2, 1, 0)}  # fixed axis, to the right, up


class Viewer:
    """The page of results in a browser, and what it should show."""

    def __init__(self, page, results):
        self.page = page
        page.resize(1400, 1000)
        page.prefer('light')
        page.open(results.out / 'report.html')
        page.wait_for('state.view !== null')
        page.ask('byId("viewer").scrollIntoView()')
        self.settle()
        self.corner, self.size = page.ask('state.view.corner'), page.ask('state.view.size')
        self.box = tuple(slice(start, start + side) for start, side in zip(self.corner, self.size))
        read = {name: read_volume(path).array[0] for name, path in (
            ('truth', results.cases[0].hr_path), ('network', results.out / '0001.mhd'),
            ('intrinsic', results.out / '0001_intrinsic.mhd'), ('parameter', results.out / '0001_parameter.mhd'))}
        read['linear'] = upsample(read_volume(results.cases[0].lr_path).array, results.config.sampling, 'linear')[0]
        for name in ('linear', 'network'):
            read[f'{name} − truth'] = read[name] - read['truth']
        read['deviation'] = numpy.hypot(read['intrinsic'], read['parameter'])
        self.volumes = {name: array[self.box] for name, array in read.items()}

    def settle(self):
        """Until what was asked for is drawn."""
        self.page.ask('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')

    def press(self, *keys):
        for key in keys:
            self.page.press(key)
        self.settle()

    def centre(self, plane):
        """The middle of a plane's canvas, in CSS pixels."""
        return self.page.ask(f'(() => {{ const b = document.querySelector("#{plane} canvas").getBoundingClientRect();'
                             'return [b.left + b.width / 2, b.top + b.height / 2]; })()')

    def drawn(self, plane):
        """RGBA at the voxels of a plane, off their centres, where the cursor's lines are; (up, right, 4)."""
        right, up = PLANES[plane][1:]
        values = self.page.ask(f'''(() => {{
            const canvas = document.querySelector("#{plane} canvas"), place = layoutOf(canvas, "{plane}");
            const {{data, width}} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height), found = [];
            for (let v = 0; v < {self.size[up]}; v++) for (let u = 0; u < {self.size[right]}; u++) {{
                const x = Math.floor(place.left + (u + 0.25) * place.across);
                const y = Math.floor(place.bottom - (v + 0.25) * place.along);
                for (let c = 0; c < 4; c++) found.push(data[4 * (y * width + x) + c]);
            }}
            return found; }})()''')
        return numpy.reshape(values, (self.size[up], self.size[right], 4))

    def plane_of(self, name, plane):
        """The plane of a volume through the cursor, as `drawn` lies."""
        fixed, right, up = PLANES[plane]
        taken = numpy.take(self.volumes[name], self.page.ask('state.cursor')[fixed], fixed)
        return taken if right > up else taken.T

    def assert_grey(self, name, plane, black, white):
        drawn, values = self.drawn(plane), self.plane_of(name, plane)
        kept = drawn[..., 3] == 255
        expected = 255 * numpy.clip((values - black) / (white - black), 0, 1)
        most = 255 * self.page.ask('state.view.truth.step') / 2 / (white - black) + 1
        assert kept.mean() > 0.3 and (drawn[~kept] == 0).all()
        for channel in range(3):
            assert numpy.abs(drawn[..., channel] - expected)[kept].max() <= most, (name, plane)
        assert drawn[kept].std() > 10

    def assert_coloured(self, name, plane, ground, times=1):
        drawn, values = self.drawn(plane), self.plane_of(name, plane)
        kept, share = drawn[..., 3] == 255, numpy.clip(values * times / self.page.ask('state.limit'), -1, 1)
        ends = numpy.where(share[..., None] > 0, (214, 39, 40), (31, 119, 220))
        expected = ground + (ends - ground) * numpy.abs(share)[..., None]
        step = self.page.ask('state.images[state.shown].step') * times / self.page.ask('state.limit')
        assert numpy.abs(drawn[..., :3] - expected)[kept].max() <= 230 * 1.5 * step + 2, (name, plane)


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    results = make_results(tmp_path_factory.mktemp('results'), ('0001', '0002'))
    results.write()
    return results


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp('browser')) as page:
        yield page


@pytest.fixture
def viewer(page, results):
    viewer = Viewer(page, results)
    yield viewer
    wrong = 'Runtime.exceptionThrown', 'Runtime.consoleAPICalled'
    told = [event for event in page.events if event['method'] in wrong]
    asked = {event['params']['request']['url'] for event in page.events
             if event['method'] == 'Network.requestWillBeSent'}
    assert not told and asked == {(results.out / 'report.html').resolve().as_uri()}


def test_each_image_is_drawn_in_all_three_planes(viewer):
    black, white = viewer.page.ask('state.view.window')
    titles = viewer.page.ask('Object.keys(state.images)')
    assert [title.split(' ×')[0] for title in titles] == [
        'LR', 'linear', 'network', 'truth', 'linear − truth', 'network − truth', 'deviation', 'intrinsic', 'parameter']
    for number, title in enumerate(titles[1:], 2):
        viewer.press(str(number))
        name, _, times = title.partition(' × ')
        for plane in PLANES:
            if number <= 4:
                viewer.assert_grey(name, plane, black, white)
            else:
                viewer.assert_coloured(name, plane, 247, int(times or 1))


def test_slider_wheel_and_keys_go_through_slices(viewer):
    window = viewer.page.ask('state.view.window')
    before = viewer.drawn('axial')
    viewer.page.ask('''(() => { const slider = document.querySelector("#axial input"); slider.value = 9;
                               slider.dispatchEvent(new Event("input")); })()''')
    viewer.settle()
    assert viewer.page.ask('state.cursor[0]') == 9 and (viewer.drawn('axial') != before).any()
    viewer.assert_grey('network', 'axial', *window)
    x, y = viewer.centre('axial')
    viewer.page.mouse('mouseWheel', x, y, deltaX=0, deltaY=-100)
    viewer.page.wait_for('state.cursor[0] === 10')
    viewer.press('PageUp', 'PageUp', 'PageDown', 'ArrowLeft', 'ArrowUp')
    assert viewer.page.ask('state.cursor') == [11, viewer.size[1] // 2 + 1, viewer.size[2] // 2 - 1]
    for plane in PLANES:
        viewer.assert_grey('network', plane, *window)
    viewer.press(*['PageUp'] * 40)
    assert viewer.page.ask('state.cursor[0]') == viewer.size[0] - 1


def test_a_click_moves_the_cursor_of_all_planes_and_tells_the_values(viewer):
    voxel = [12, 10, 14]
    x, y = viewer.page.ask(f'''(() => {{
        const canvas = document.querySelector("#coronal canvas"), bounds = canvas.getBoundingClientRect();
        const [x, y] = layoutOf(canvas, "coronal").pixelOf({voxel});
        return [bounds.left + x, bounds.top + y]; }})()''')
    for kind in ('mousePressed', 'mouseReleased'):
        viewer.page.mouse(kind, x, y, button='left', buttons=1, clickCount=1)
    viewer.settle()
    y = viewer.size[1] // 2  # the coronal plane's own place stays
    assert viewer.page.ask('state.cursor') == [12, y, 14] and viewer.page.ask('state.plane') == 'coronal'
    values = viewer.page.ask('''Object.fromEntries([...byId("gallery").children].map(
        (card) => [card.dataset.title, card.querySelector(".value").textContent]))''')
    for title, value in values.items():
        name = title.split(' ×')[0]
        if name in viewer.volumes and value != 'not kept':
            step = viewer.page.ask(f'state.images["{title}"].step')
            assert abs(float(value) - viewer.volumes[name][12, y, 14]) <= 1.5 * step
    assert viewer.page.ask('byId("place").textContent').endswith(
        ', '.join(str(place + start) for place, start in zip((14, y, 12), viewer.corner[::-1])))


def test_window_by_numbers_and_by_dragging(viewer):
    viewer.page.ask('''(() => { for (const [id, value] of [["black", 20], ["white", 60]]) {
        byId(id).value = value; byId(id).dispatchEvent(new Event("input")); } })()''')
    viewer.settle()
    viewer.assert_grey('network', 'sagittal', 20, 60)
    x, y = viewer.centre('sagittal')
    viewer.page.mouse('mousePressed', x, y, button='right', buttons=2)
    viewer.page.mouse('mouseMoved', x + 40, y + 15, button='right', buttons=2)
    viewer.page.mouse('mouseReleased', x + 40, y + 15, button='right')
    viewer.settle()
    black, white = viewer.page.ask('[state.black, state.white]')
    assert white - black == pytest.approx(40 * numpy.exp(-40 / 200)) and (white + black) / 2 == pytest.approx(42)
    viewer.assert_grey('network', 'sagittal', black, white)
    viewer.page.ask('byId("reset").click()')
    viewer.settle()
    viewer.assert_grey('network', 'sagittal', *viewer.page.ask('state.view.window'))


def test_flicker_shows_two_images_in_turn(viewer):
    window = viewer.page.ask('state.view.window')
    viewer.press('4', '3', ' ')
    viewer.assert_grey('truth', 'axial', *window)
    viewer.press(' ')
    viewer.assert_grey('network', 'axial', *window)
    viewer.press('f')
    for title in ('truth', 'network', 'truth'):
        viewer.page.wait_for(f'state.shown === "{title}"')
    viewer.press('f')
    shown = viewer.page.ask('state.shown')
    assert viewer.page.ask('new Promise((done) => setTimeout(() => done(state.shown), 800))') == shown


def test_zoom_keeps_the_cursor_where_it_is(viewer):
    viewer.press('ArrowLeft', 'ArrowLeft', 'ArrowLeft')
    where = 'layoutOf(document.querySelector("#axial canvas"), "axial").pixelOf(state.cursor)'
    before, across = viewer.page.ask(where), 'layoutOf(document.querySelector("#axial canvas"), "axial").across'
    small = viewer.page.ask(across)
    viewer.press('+', '+')
    assert viewer.page.ask(across) == pytest.approx(1.44 * small)
    assert viewer.page.ask(where) == pytest.approx(before)
    viewer.press('0')
    assert viewer.page.ask(across) == pytest.approx(small)
    viewer.assert_grey('network', 'axial', *viewer.page.ask('state.view.window'))


def test_dark_and_light_are_the_system_s_until_one_is_chosen(viewer):
    ground = 'getComputedStyle(document.body).backgroundColor'
    viewer.press('6')
    light = viewer.page.ask(ground)
    viewer.page.prefer('dark')
    viewer.settle()
    dark = viewer.page.ask(ground)
    assert light != dark
    viewer.assert_coloured('network − truth', 'coronal', 24)
    viewer.page.ask('byId("theme").click()')
    viewer.settle()
    assert viewer.page.ask(ground) == light
    viewer.assert_coloured('network − truth', 'coronal', 247)


def test_a_script_of_others_would_not_run_even_if_it_got_into_the_page(page, results, tmp_path):
    text = (results.out / 'report.html').read_text(encoding='utf-8')
    evil = '<script>window.hit = 1</script><img src="x" onerror="window.hit = 1"><p onclick="window.hit = 1" id="evil">'
    text = text.replace('<section id="run">', f'{evil}<section id="run">')
    (tmp_path / 'evil.html').write_text(text, encoding='utf-8')
    page.open(tmp_path / 'evil.html')
    page.wait_for('state.view !== null')
    page.ask('byId("evil").click()')
    assert page.ask('document.querySelectorAll("script:not([type])").length') == 2 and page.ask('window.hit') is None
    page.events.clear()


def test_another_case_can_be_chosen(viewer):
    before = viewer.drawn('axial')
    viewer.page.ask('(() => { byId("cases").selectedIndex = 1; byId("cases").dispatchEvent(new Event("change")); })()')
    viewer.page.wait_for('state.view.name === "0002"')
    viewer.settle()
    viewer.size = viewer.page.ask('state.view.size')
    after = viewer.drawn('axial')
    assert after.shape != before.shape or (after != before).any()
