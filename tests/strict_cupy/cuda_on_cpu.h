// What the kernels of models/gpu use of CUDA C++, on one thread of the CPU.
//
// Blocks run one after another. The threads of a block take turns: each goes on until it waits at a barrier or ends, and
// then the next; in every other block the last thread is the first. So a missing barrier shows, each time. Shared memory
// is full of NaN when a block begins.
//
// All is in an unnamed namespace, kernels too: the linker would take what two libraries have of one name for the same,
// such as a template's shared memory. The standard library's headers of mathematics and algorithms, which would take
// longer to compile than a kernel, are left out.
#include <setjmp.h>
#include <string.h>
#include <ucontext.h>

#include <utility>

#define __device__
#define __forceinline__ inline
#define __global__
#define __launch_bounds__(...)
#define __shared__ static __attribute__((used, section("shared_memory")))
#define __syncthreads() on_cpu::pause(__LINE__)

extern "C" float sqrtf(float) noexcept;

// The linker's; null where a library has no shared memory.
extern "C" __attribute__((weak, visibility("hidden"))) char __start_shared_memory, __stop_shared_memory;

namespace {

inline int min(int a, int b) { return a < b ? a : b; }

struct dim3 {
    unsigned x, y, z;
} threadIdx, blockIdx, blockDim, gridDim;

struct alignas(16) float4 {
    float x, y, z, w;
};

namespace on_cpu {

constexpr int MOST_THREADS = 1024, STACK = 1 << 16;

struct Thread {
    jmp_buf here;
    int line;  // of the barrier where it waits; 0: it has ended
    char stack[STACK];
} threads[MOST_THREADS], *current;

jmp_buf scheduler;

// setjmp and longjmp, since swapcontext makes a system call each time and takes ten times as long.
void pause(int line) {
    current->line = line;
    if (!_setjmp(current->here))
        _longjmp(scheduler, 1);
}

void resume(Thread &thread) {
    current = &thread;
    if (!_setjmp(scheduler))
        _longjmp(thread.here, 1);
}

template <class Call>
struct Kernel {
    static Call *call;  // with its arguments
    static void live() {
        for (;;) {
            pause(0);
            (*call)();
        }
    }
};

template <class Call>
Call *Kernel<Call>::call;

// A thread that waits on a stack of its own, where longjmp reaches it.
void begin(Thread &thread, void (*live)()) {
    ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = thread.stack;
    context.uc_stack.ss_size = STACK;
    makecontext(&context, live, 0);
    current = &thread;
    if (!_setjmp(scheduler))
        setcontext(&context);
}

// One thread after another, until each waits or has ended. False if they do not all wait at one barrier, or all end.
bool take_turns(int count, bool backwards) {
    for (int i = 0; i < count; ++i) {
        const unsigned t = backwards ? count - 1 - i : i;
        threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
        resume(threads[t]);
    }
    for (int t = 1; t < count; ++t)
        if (threads[t].line != threads[0].line)
            return false;
    return true;
}

template <class Call>
bool run(Call call) {
    const int count = blockDim.x * blockDim.y * blockDim.z;
    Kernel<Call>::call = &call;
    for (int t = 0; t < count; ++t)
        begin(threads[t], Kernel<Call>::live);
    bool backwards = false;
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x, backwards = !backwards) {
                memset(&__start_shared_memory, 0xff, &__stop_shared_memory - &__start_shared_memory);
                do
                    if (!take_turns(count, backwards))
                        return false;
                while (threads[0].line);
            }
    return true;
}

// Arguments as cuLaunchKernel takes them: where each one is.
template <class... Types, size_t... I>
bool launch(void (*kernel)(Types...), void **arguments, std::index_sequence<I...>) {
    return run([&] { kernel(*static_cast<Types *>(arguments[I])...); });
}

template <class... Types>
bool launch(void (*kernel)(Types...), const unsigned *grid, const unsigned *block, void **arguments) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    return launch(kernel, arguments, std::index_sequence_for<Types...>());
}

template <class>
constexpr const char *name = nullptr;
template <>
constexpr const char *name<int> = "int32 ";
template <>
constexpr const char *name<long long> = "int64 ";
template <>
constexpr const char *name<float> = "float32 ";
template <>
constexpr const char *name<float *> = "float32* ";
template <>
constexpr const char *name<const float *> = "const_float32* ";
template <class T>
constexpr const char *name<const T *> = "const* ";

// The names of the types of the parameters.
template <class... Types>
const char *signature(void (*)(Types...)) {
    static_assert((name<Types> && ...), "a parameter of a type that the stand-in does not know");
    static char all[16 * sizeof...(Types) + 1];
    if (!*all)
        (strcat(all, name<Types>), ...);
    return all;
}

}  // namespace on_cpu
}  // namespace
