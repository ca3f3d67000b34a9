// The neighbourhood of each voxel as a row, (voxels, k_z, k_y, k_x, C), zero outside the volume.
extern "C" __global__ void gather(const float *x, float *rows, int depth, int height, int width, int channels, int kz,
                                  int ky, int kx, long long first, long long voxels) {
    const int columns = kz * ky * kx * channels;
    const long long at = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x;
    if (at >= voxels * columns)
        return;
    long long voxel = first + at / columns;
    int column = static_cast<int>(at % columns);
    const int channel = column % channels;
    column /= channels;
    const int left = static_cast<int>(voxel % width) + column % kx - kx / 2;
    voxel /= width;
    column /= kx;
    const int top = static_cast<int>(voxel % height) + column % ky - ky / 2;
    voxel /= height;
    const int front = static_cast<int>(voxel % depth) + column / ky - kz / 2;
    const long long n = voxel / depth;
    const bool inside = front >= 0 && front < depth && top >= 0 && top < height && left >= 0 && left < width;
    rows[at] = inside ? x[(((n * depth + front) * height + top) * width + left) * channels + channel] : 0;
}
