// parts[block] = the sum of the squares of the block's share of x, or the sum of its share, always in the same order.

constexpr int THREADS = 256;

template <bool SQUARE>
__device__ __forceinline__ void add(const float *x, float *parts, long long size) {
    __shared__ float sums[THREADS];
    const int thread = threadIdx.x;
    float sum = 0;
    for (long long i = blockIdx.x * static_cast<long long>(THREADS) + thread; i < size;
         i += static_cast<long long>(gridDim.x) * THREADS)
        sum += SQUARE ? x[i] * x[i] : x[i];
    sums[thread] = sum;
    __syncthreads();
    for (int half = THREADS / 2; half; half /= 2) {
        if (thread < half)
            sums[thread] += sums[thread + half];
        __syncthreads();
    }
    if (thread == 0)
        parts[blockIdx.x] = sums[0];
}

extern "C" __global__ void squares(const float *x, float *parts, long long size) { add<true>(x, parts, size); }

extern "C" __global__ void total(const float *x, float *parts, long long size) { add<false>(x, parts, size); }
