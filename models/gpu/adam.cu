// A step of Adam for several parameters at once: blockIdx.y says which one. As chainer.optimizers.Adam without options.

struct Parameter {
    float *value;
    const float *gradient;
    float *m, *v;
    long long size;
    double eps;
};

extern "C" __global__ void adam(const Parameter *parameters, float alpha_t, float one_minus_beta1,
                                float one_minus_beta2) {
    const Parameter p = parameters[blockIdx.y];
    const float eps = static_cast<float>(p.eps);
    for (long long i = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x; i < p.size;
         i += static_cast<long long>(gridDim.x) * blockDim.x) {
        const float gradient = p.gradient[i];
        const float m = p.m[i] + one_minus_beta1 * (gradient - p.m[i]);
        const float v = p.v[i] + one_minus_beta2 * (gradient * gradient - p.v[i]);
        p.m[i] = m;
        p.v[i] = v;
        p.value[i] -= alpha_t * m / (sqrtf(v) + eps);
    }
}
