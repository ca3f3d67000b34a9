"""Against Chainer's own Adam."""
import chainer
import numpy
import pytest

from util.training.adam import Adam


def run(make, device, steps=5):
    """Parameters and state after some steps with given gradients; one parameter has an epsilon of its own."""
    net = chainer.Sequential(chainer.links.Linear(30, 20), chainer.links.Linear(20, 3))
    r = numpy.random.default_rng(0)
    for param in net.params():
        param.array[...] = r.standard_normal(param.shape)
    net.to_device(device)
    optimizer = make(1e-2, 0.8, 0.99).setup(net)
    net[1].W.update_rule.hyperparam.eps = 1e-3
    for param in net.params():
        param.grad = device.send(numpy.zeros(param.shape, 'float32'))
    calls = []
    optimizer.add_hook(lambda optimizer: calls.append(optimizer.t), 'before', timing='pre')
    optimizer.add_hook(lambda optimizer: calls.append(optimizer.t), 'after', timing='post')
    for step in range(steps):
        optimizer.alpha = 1e-2 / (step + 1)
        for param in net.params():
            param.grad[...] = device.send(r.standard_normal(param.shape).astype('float32'))
        optimizer.update()
    assert calls == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    host = chainer.get_device('@numpy')
    return optimizer, [host.send(a) for p in net.params() for a in (p.array, *p.update_rule.state.values())]


def assert_chainers(device):
    ours, arrays = run(Adam, device)
    theirs, expected = run(chainer.optimizers.Adam, chainer.get_device('@numpy'))
    assert ours.t == theirs.t == 5 and {p.update_rule.t for p in ours.target.params()} == {5}
    for a, b in zip(arrays, expected, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_steps_are_chainers():
    assert_chainers(chainer.get_device('@numpy'))


@pytest.mark.gpu
def test_steps_on_a_gpu_are_chainers(gpu_with_kernels):
    assert_chainers(gpu_with_kernels)


@pytest.mark.gpu
def test_gradients_in_other_arrays_are_found(gpu_with_kernels):
    """A backward pass that is not recorded makes new ones."""
    net = chainer.links.Linear(3, 2)
    net.to_device(gpu_with_kernels)
    optimizer, theirs = Adam(0.1, 0.9, 0.999).setup(net), net.W.array.copy()
    for _ in range(4):
        for param in net.params():
            param.grad = gpu_with_kernels.xp.ones_like(param.array)
        optimizer.update()
    numpy.testing.assert_allclose(net.W.array.get(), theirs.get() - 0.4, rtol=1e-5)


def steps(make, prepare):
    """The parameters after some steps, of a network whose optimizer was prepared."""
    numpy.random.seed(0)
    net = chainer.Sequential(chainer.links.Linear(3, 2), chainer.links.Linear(2, 2))
    optimizer = make(0.1, 0.9, 0.999).setup(net)
    prepare(net)
    for step in range(6):
        for i, param in enumerate(net.params()):
            param.grad = None if i == step % 4 else numpy.full(param.shape, 1 + step, 'float32')
        optimizer.update()
    return [param.array for param in net.params()]


@pytest.mark.parametrize('prepare', [
    lambda net: None,  # gradients that are missing now and then
    lambda net: net[0].disable_update(),
    lambda net: setattr(net[1].W.update_rule.hyperparam, 'alpha', 0.01)], ids=['missing', 'frozen', 'alpha'])
def test_parameters_that_are_treated_differently_are_updated_as_by_chainer(prepare):
    for ours, theirs in zip(steps(Adam, prepare), steps(chainer.optimizers.Adam, prepare), strict=True):
        numpy.testing.assert_array_equal(ours, theirs)
