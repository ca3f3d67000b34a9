import numpy

from models.product import along_axes, along_axis


def test_each_axis_is_multiplied_by_its_own_matrix():
    rng = numpy.random.default_rng(0)
    volume, *matrices = (rng.normal(size=size) for size in ((2, 4, 5, 6), (3, 4), (1, 5), (7, 6)))
    expected = numpy.einsum('czyx,az,by,dx->cabd', volume, *matrices)
    numpy.testing.assert_allclose(along_axes(volume, matrices), expected)
    numpy.testing.assert_allclose(along_axes(volume[:, ::-1, :, ::-1], matrices),
                                  numpy.einsum('czyx,az,by,dx->cabd', volume[:, ::-1, :, ::-1], *matrices))
    for axis, subscripts in enumerate(('czyx,az->cayx', 'czyx,by->czbx', 'czyx,dx->czyd')):
        numpy.testing.assert_allclose(along_axis(volume, matrices[axis], axis),
                                      numpy.einsum(subscripts, volume, matrices[axis]))
