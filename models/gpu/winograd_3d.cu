// Winograd's transforms along three axes; models/gpu/winograd_3d.py puts in SIDE, PAD and the three matrices.
//
// A pair is a tile and a channel: neighbouring threads have neighbouring pairs, which lie side by side in memory. Warp w
// of a block transforms plane w of its 32 tiles along height and width; through shared memory every warp then gets some
// points of all planes, and transforms these along depth.

constexpr int POINTS = 6, LANES = 32;

struct Place {  // of a tile
    long long pair;
    bool exists;
    int n, z, y, x, channel;
};

__device__ Place find(long long first_tile, long long tiles, int channels, int down, int high, int across) {
    Place place;
    place.pair = blockIdx.x * static_cast<long long>(LANES) + threadIdx.x;
    place.exists = place.pair < tiles * channels;
    long long tile = first_tile + place.pair / channels;
    place.channel = place.pair % channels;
    place.x = SIDE * static_cast<int>(tile % across);
    tile /= across;
    place.y = SIDE * static_cast<int>(tile % high);
    tile /= high;
    place.z = SIDE * static_cast<int>(tile % down);
    place.n = static_cast<int>(tile / down);
    return place;
}

// out = M in, along one axis, of vectors that lie `step` apart. M is known when this is compiled; its zeros cost nothing.
template <class M>
__device__ __forceinline__ void along(const float *in, float *out, int in_step, int out_step) {
#pragma unroll
    for (int i = 0; i < M::TO; ++i) {
        float sum = 0;
#pragma unroll
        for (int j = 0; j < M::FROM; ++j)
            if (M::at(i, j) != 0)
                sum += M::at(i, j) * in[j * in_step];
        out[i * out_step] = sum;
    }
}

// M plane M^T, of a plane (FROM, FROM) to one (TO, TO).
template <class M>
__device__ __forceinline__ void along_height_and_width(const float *plane, float *out) {
    float half[M::TO * M::FROM];
#pragma unroll
    for (int x = 0; x < M::FROM; ++x)
        along<M>(plane + x, half + x, M::FROM, M::FROM);
#pragma unroll
    for (int y = 0; y < M::TO; ++y)
        along<M>(half + y * M::FROM, out + y * M::TO, 1, 1);
}

// The tile that begins `pad` before its place, of a (N, D, H, W, C), to points (6, 6, 6, tiles, C).
template <class M>
__device__ __forceinline__ void to_points(const float *a, float *points, int depth, int height, int width, int channels,
                                          int down, int high, int across, long long first_tile, long long tiles,
                                          int pad) {
    __shared__ float planes[M::FROM][POINTS * POINTS][LANES];
    const Place place = find(first_tile, tiles, channels, down, high, across);
    const int warp = threadIdx.y, lane = threadIdx.x;
    if (warp < M::FROM) {
        float plane[M::FROM * M::FROM], points_of_plane[POINTS * POINTS];
        const int z = place.z - pad + warp, top = place.y - pad, left = place.x - pad;
        const bool inside = place.exists && z >= 0 && z < depth;
        const float *corner =
            a + (((static_cast<long long>(place.n) * depth + z) * height + top) * width + left) * channels
            + place.channel;
#pragma unroll
        for (int y = 0; y < M::FROM; ++y)
#pragma unroll
            for (int x = 0; x < M::FROM; ++x) {
                const bool there = inside && static_cast<unsigned>(top + y) < static_cast<unsigned>(height)
                                   && static_cast<unsigned>(left + x) < static_cast<unsigned>(width);
                plane[y * M::FROM + x] = there ? corner[(static_cast<long long>(y) * width + x) * channels] : 0;
            }
        along_height_and_width<M>(plane, points_of_plane);
#pragma unroll
        for (int p = 0; p < POINTS * POINTS; ++p)
            planes[warp][p][lane] = points_of_plane[p];
    }
    __syncthreads();
    if (!place.exists)
        return;
    const long long step = tiles * channels;
#pragma unroll
    for (int i = 0; i < POINTS; ++i) {
        const int p = warp * POINTS + i;
        float out[POINTS];
        along<M>(&planes[0][p][lane], out, POINTS * POINTS * LANES, 1);
#pragma unroll
        for (int z = 0; z < POINTS; ++z)
            points[(z * POINTS * POINTS + p) * step + place.pair] = out[z];
    }
}

extern "C" __global__ void __launch_bounds__(POINTS *LANES)
points_of_input(const float *x, float *points, int depth, int height, int width, int channels, int down, int high,
                int across, long long first_tile, long long tiles) {
    to_points<BT>(x, points, depth, height, width, channels, down, high, across, first_tile, tiles, PAD);
}

extern "C" __global__ void __launch_bounds__(POINTS *LANES)
points_of_gradient(const float *gy, float *points, int depth, int height, int width, int channels, int down, int high,
                   int across, long long first_tile, long long tiles) {
    to_points<A>(gy, points, depth, height, width, channels, down, high, across, first_tile, tiles, 0);
}

// The outputs of tiles, from products (6, 6, 6, tiles, C), to their places in y (N, D, H, W, C).
extern "C" __global__ void __launch_bounds__(POINTS *LANES)
store_output(const float *products, float *y, const float *bias, const float *mask, int depth, int height, int width,
             int channels, int down, int high, int across, long long first_tile, long long tiles, int relu) {
    __shared__ float planes[POINTS][SIDE * SIDE][LANES];
    const Place place = find(first_tile, tiles, channels, down, high, across);
    const int warp = threadIdx.y, lane = threadIdx.x;
    const long long step = tiles * channels;
    float plane[POINTS * POINTS], outputs[SIDE * SIDE];
#pragma unroll
    for (int p = 0; p < POINTS * POINTS; ++p)
        plane[p] = place.exists ? products[(warp * POINTS * POINTS + p) * step + place.pair] : 0;
    along_height_and_width<AT>(plane, outputs);
#pragma unroll
    for (int p = 0; p < SIDE * SIDE; ++p)
        planes[warp][p][lane] = outputs[p];
    __syncthreads();
    if (!place.exists)
        return;
    const float added = bias ? bias[place.channel] : 0;
    for (int p = warp; p < SIDE * SIDE; p += POINTS) {
        const int row = place.y + p / SIDE, column = place.x + p % SIDE;
        if (row >= height || column >= width)
            continue;
        float out[SIDE];
        along<AT>(&planes[0][p][lane], out, SIDE * SIDE * LANES, 1);
#pragma unroll
        for (int i = 0; i < SIDE; ++i) {
            const int z = place.z + i;
            if (z >= depth)
                break;
            const long long at =
                (((static_cast<long long>(place.n) * depth + z) * height + row) * width + column) * channels
                + place.channel;
            float value = out[i] + added;
            if (relu)
                value = value < 0 ? 0 : value;  // NaN stays
            if (mask)
                value = mask[at] > 0 ? value : value * 0;
            y[at] = value;
        }
    }
}
