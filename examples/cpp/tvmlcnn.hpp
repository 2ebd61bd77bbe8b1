// Networks that tvmlcnn compiled, in C++20: objects that close themselves, exceptions, and buffers
// whose types and sizes are checked.
//
//     auto file = std::make_shared<const tvmlcnn::File>("./mobilenet_v2-x86.so");
//     tvmlcnn::Instance network(file);
//     std::vector<float> pixels(3 * 224 * 224), scores(1000);
//     network.run({pixels}, {scores});
//
// An Instance runs one call at a time; those of one File share its code and weights, and several
// threads have one each.
#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "tvmlcnn.h"

namespace tvmlcnn {

class Error : public std::runtime_error {
public:
    explicit Error(const std::string &what, int status = TVMLCNN_INVALID)
        : std::runtime_error(what), status(status) {}
    const int status; // TVMLCNN_BUSY, ...
};

struct Tensor {
    std::string_view name, dtype;
    std::span<const std::int64_t> shape;
    std::size_t bytes;
};

// numpy's name of an arithmetic type; a bool is a byte.
template <typename T> constexpr std::string_view dtype_of() {
    if constexpr (std::is_same_v<T, float>) return "float32";
    if constexpr (std::is_same_v<T, double>) return "float64";
    if constexpr (std::is_same_v<T, bool>) return "bool";
    if constexpr (std::is_integral_v<T>) {
        constexpr std::string_view names[2][4] = {{"uint8", "uint16", "uint32", "uint64"},
                                                  {"int8", "int16", "int32", "int64"}};
        return names[std::is_signed_v<T>][sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3];
    }
    return "";
}

// Any array, vector or span: what a call reads, and what it writes.
template <typename Pointer> struct Buffer {
    Pointer data;
    std::size_t bytes;
    std::string_view dtype;

    template <std::ranges::contiguous_range R>
        requires std::ranges::sized_range<R> &&
                 std::is_convertible_v<decltype(std::ranges::data(std::declval<R &>())), Pointer>
    Buffer(R &&range)
        : data(std::ranges::data(range)),
          bytes(std::ranges::size(range) * sizeof(std::ranges::range_value_t<R>)),
          dtype(dtype_of<std::ranges::range_value_t<R>>()) {}
};
using Input = Buffer<const void *>;
using Output = Buffer<void *>;

// A compiled file, open.
class File {
public:
    explicit File(const std::string &path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        if (!handle_) throw Error(dlerror());
        try {
            if (find<tvmlcnn_abi_function>("tvmlcnn_abi")() != TVMLCNN_ABI)
                throw Error(path + " is of another version of tvmlcnn; compile it again");
            open = &find<tvmlcnn_open_function>("tvmlcnn_open");
            threads = &find<tvmlcnn_threads_function>("tvmlcnn_threads");
            run = &find<tvmlcnn_run_function>("tvmlcnn_run");
            run_frames = reinterpret_cast<tvmlcnn_run_frames_function *>(dlsym(handle_, "tvmlcnn_run_frames"));
            error = &find<tvmlcnn_error_function>("tvmlcnn_error");
            close = &find<tvmlcnn_close_function>("tvmlcnn_close");
        } catch (...) {
            dlclose(handle_);
            throw;
        }
    }
    ~File() { dlclose(handle_); }
    File(const File &) = delete;
    File &operator=(const File &) = delete;

    // What the file says of itself, as JSON.
    std::string_view manifest() const {
        std::size_t bytes;
        const char *text = find<tvmlcnn_manifest_function>("tvmlcnn_manifest")(&bytes);
        return {text, bytes};
    }
    // One for each size of the inputs.
    std::size_t programs() const { return find<tvmlcnn_programs_function>("tvmlcnn_programs")(); }
    std::vector<Tensor> inputs(std::size_t program = 0) const { return tensors("tvmlcnn_inputs", program); }
    std::vector<Tensor> outputs(std::size_t program = 0) const { return tensors("tvmlcnn_outputs", program); }

private:
    friend class Instance;

    template <typename Function> Function &find(const char *name) const {
        void *found = dlsym(handle_, name);
        if (!found) throw Error(std::string("no compiled network: ") + dlerror());
        return *reinterpret_cast<Function *>(found);
    }
    std::vector<Tensor> tensors(const char *name, std::size_t program) const {
        std::size_t count;
        const tvmlcnn_tensor *first = find<tvmlcnn_tensors_function>(name)(program, &count);
        std::vector<Tensor> result;
        for (const tvmlcnn_tensor &each : std::span(first, count))
            result.push_back({each.name, each.dtype, {each.shape, each.rank}, each.bytes});
        return result;
    }

    void *handle_;
    tvmlcnn_open_function *open;
    tvmlcnn_threads_function *threads;
    tvmlcnn_run_function *run;
    tvmlcnn_run_frames_function *run_frames; // NULL in a file that does not resize frames
    tvmlcnn_error_function *error;
    tvmlcnn_close_function *close;
};

// Threads and a workspace for the network of a file.
class Instance {
public:
    // No threads: as many as the file was compiled for; no CPUs: those of this thread, of the fastest
    // kind among them.
    explicit Instance(std::shared_ptr<const File> file, std::uint32_t threads = 0,
                      std::span<const std::uint32_t> cpus = {})
        : file_(std::move(file)) {
        const tvmlcnn_options options{threads, cpus.data(), cpus.size()};
        tvmlcnn_instance *opened;
        const int status = file_->open(&options, &opened);
        handle_ = {opened, file_->close};
        check(status);
    }

    const File &file() const { return *file_; }
    std::uint32_t threads() const { return file_->threads(handle_.get()); }

    // Run the network. Buffers have the types and sizes of the file's tensors, in their order; an
    // output overlaps nothing else.
    void run(std::span<const Input> inputs, std::span<const Output> outputs, std::size_t program = 0) {
        const auto from = addresses<const void *>(file_->inputs(program), inputs, "input");
        const auto to = addresses<void *>(file_->outputs(program), outputs, "output");
        check(file_->run(handle_.get(), program, from.data(), to.data()));
    }
    void run(std::initializer_list<Input> inputs, std::initializer_list<Output> outputs,
             std::size_t program = 0) {
        run(std::span(inputs.begin(), inputs.size()), std::span(outputs.begin(), outputs.size()), program);
    }

    // Run the network of a file that resizes frames on one for each picture of its batch.
    void run_frames(std::span<const tvmlcnn_frame> frames, std::span<const Output> outputs,
                    std::size_t program = 0) {
        if (!file_->run_frames) throw Error("the file resizes no frames");
        const auto inputs = file_->inputs(program);
        if (inputs.empty() || static_cast<std::int64_t>(frames.size()) != inputs[0].shape[0])
            throw Error("the network takes as many frames as its batch has pictures");
        const auto to = addresses<void *>(file_->outputs(program), outputs, "output");
        check(file_->run_frames(handle_.get(), program, frames.data(), to.data()));
    }
    void run_frames(std::initializer_list<tvmlcnn_frame> frames, std::initializer_list<Output> outputs,
                    std::size_t program = 0) {
        run_frames(std::span(frames.begin(), frames.size()), std::span(outputs.begin(), outputs.size()), program);
    }

private:
    void check(int status) const {
        if (status) throw Error(file_->error(handle_.get()), status);
    }

    template <typename Pointer>
    static std::vector<Pointer> addresses(const std::vector<Tensor> &tensors,
                                          std::span<const Buffer<Pointer>> buffers, const char *what) {
        if (buffers.size() != tensors.size())
            throw Error("the network has " + std::to_string(tensors.size()) + " " + what + "s");
        std::vector<Pointer> result;
        for (std::size_t i = 0; i < buffers.size(); i++) {
            const Tensor &tensor = tensors[i];
            if (buffers[i].bytes != tensor.bytes || buffers[i].dtype != tensor.dtype)
                throw Error(std::string(what) + " " + std::string(tensor.name) + " is " + std::string(tensor.dtype) +
                            " of " + std::to_string(tensor.bytes) + " bytes; given was " +
                            std::string(buffers[i].dtype) + " of " + std::to_string(buffers[i].bytes));
            result.push_back(buffers[i].data);
        }
        return result;
    }

    std::shared_ptr<const File> file_; // is closed after the instance
    std::unique_ptr<tvmlcnn_instance, tvmlcnn_close_function *> handle_{nullptr, nullptr};
};

} // namespace tvmlcnn
