// C = A B for each of a batch of matrices, float32 throughout; models/gpu/matmul.py says what the macros are.
//
// A block computes BM x BN of C, a thread TM x TN of them. Pieces of A and B, 16 deep, go through shared memory; while
// one is multiplied, the next one is on its way from global memory to registers.

constexpr int SIDE = 16, DEPTH = 16, THREADS = SIDE * SIDE;
constexpr int BM = SIDE * TM, BN = SIDE * TN;
constexpr int A_STRIDE = BM + 4, B_STRIDE = BN + 4;  // the 4: fewer bank conflicts, and 16-byte reads stay aligned

// Element e of a piece (length x DEPTH): its place along the matrix's own axis and along the depth. Neighbouring
// threads read neighbours in global memory.
template <int LENGTH, bool DEPTH_IS_CONTIGUOUS>
__device__ void place(int e, int &own, int &deep) {
    own = DEPTH_IS_CONTIGUOUS ? e / DEPTH : e % LENGTH;
    deep = DEPTH_IS_CONTIGUOUS ? e % DEPTH : e / LENGTH;
}

extern "C" __global__ void __launch_bounds__(THREADS, 2)
matmul(const float *A, const float *B, float *C, const float *bias, const float *mask, int rows, int columns, int depth,
       long long a_batch, int a_row, int a_deep, long long b_batch, int b_deep, int b_column,
       int splits, int split_depth, int relu, int accumulate) {
    __shared__ float a_piece[2][DEPTH * A_STRIDE];
    __shared__ float b_piece[2][DEPTH * B_STRIDE];
    const int thread = threadIdx.x, tx = thread % SIDE, ty = thread / SIDE;
    const int column_tiles = (columns + BN - 1) / BN;
    const int first_row = blockIdx.x / column_tiles * BM, first_column = blockIdx.x % column_tiles * BN;
    const int batch = blockIdx.y, split = blockIdx.z;
    const int begin = split * split_depth, end = min(depth, begin + split_depth);
    A += batch * a_batch + static_cast<long long>(first_row) * a_row;  // what is left to add fits into 32 bits
    B += batch * b_batch + static_cast<long long>(first_column) * b_column;

    float a_next[TM], b_next[TN], sum[TM][TN] = {};
    auto fetch = [&](int from) {
        const float *a_from = A + static_cast<long long>(from) * a_deep;
        const float *b_from = B + static_cast<long long>(from) * b_deep;
#pragma unroll
        for (int i = 0; i < TM; ++i) {
            int m, k;
            place<BM, A_DEEP>(thread + i * THREADS, m, k);
            a_next[i] = m < rows - first_row && k < end - from ? a_from[m * a_row + k * a_deep] : 0;
        }
#pragma unroll
        for (int i = 0; i < TN; ++i) {
            int n, k;
            place<BN, B_DEEP>(thread + i * THREADS, n, k);
            b_next[i] = n < columns - first_column && k < end - from ? b_from[n * b_column + k * b_deep] : 0;
        }
    };
    auto store = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < TM; ++i) {
            int m, k;
            place<BM, A_DEEP>(thread + i * THREADS, m, k);
            a_piece[buffer][k * A_STRIDE + m] = a_next[i];
        }
#pragma unroll
        for (int i = 0; i < TN; ++i) {
            int n, k;
            place<BN, B_DEEP>(thread + i * THREADS, n, k);
            b_piece[buffer][k * B_STRIDE + n] = b_next[i];
        }
    };

    fetch(begin);
    store(0);
    __syncthreads();
    for (int from = begin, buffer = 0; from < end; from += DEPTH, buffer ^= 1) {
        const bool more = from + DEPTH < end;
        if (more)
            fetch(from + DEPTH);
#pragma unroll
        for (int k = 0; k < DEPTH; ++k) {
            float a[TM], b[TN];
#pragma unroll
            for (int i = 0; i < TM; i += 4)
                *reinterpret_cast<float4 *>(a + i) =
                    *reinterpret_cast<const float4 *>(a_piece[buffer] + k * A_STRIDE + ty * TM + i);
#pragma unroll
            for (int j = 0; j < TN; ++j)
                b[j] = b_piece[buffer][k * B_STRIDE + tx + SIDE * j];
#pragma unroll
            for (int i = 0; i < TM; ++i)
#pragma unroll
                for (int j = 0; j < TN; ++j)
                    sum[i][j] += a[i] * b[j];
        }
        if (more)
            store(buffer ^ 1);
        __syncthreads();
    }

    C += (static_cast<long long>(split) * gridDim.y + batch) * rows * columns;
#pragma unroll
    for (int i = 0; i < TM; ++i) {
        const int m = first_row + ty * TM + i;
#pragma unroll
        for (int j = 0; j < TN; ++j) {
            const int n = first_column + tx + SIDE * j;
            if (m >= rows || n >= columns)
                continue;
            const long long at = static_cast<long long>(m) * columns + n;
            float value = sum[i][j];
            if (bias)
                value += bias[n];
            if (relu)
                value = value < 0 ? 0 : value;  // NaN stays
            if (mask)
                value = mask[at] > 0 ? value : value * 0;
            C[at] = accumulate ? C[at] + value : value;
        }
    }
}

// C = the sum over the splits of the depth, always in the same order.
extern "C" __global__ void add_splits(const float *parts, float *C, long long size, int splits, int accumulate) {
    const long long at = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x;
    if (at >= size)
        return;
    float sum = accumulate ? C[at] : 0;
    for (int split = 0; split < splits; ++split)
        sum += parts[split * size + at];
    C[at] = sum;
}
