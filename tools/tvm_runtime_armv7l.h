// What the sources of TVM's runtime include and its wheels do not carry: streams, the way
// values are written to them, and buffers. The encoding is that of the library which wrote the file: integers
// little-endian as they lie in memory, sizes as uint64, containers element by element.
#ifndef TVM_RUNTIME_ARMV7L_H_
#define TVM_RUNTIME_ARMV7L_H_

#include <dlpack/dlpack.h>
#include <tvm/ffi/container/array.h>
#include <tvm/ffi/container/map.h>
#include <tvm/ffi/error.h>
#include <tvm/ffi/string.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tvm::support {

template <typename T, typename = void>
struct Serializer;

class Stream {
 public:
  virtual ~Stream() = default;
  virtual size_t Read(void* to, size_t size) = 0;
  virtual size_t Write(const void* from, size_t size) = 0;

  template <typename T>
  bool Read(T* value) {
    return Serializer<T>::Read(this, value);
  }
  template <typename T>
  void Write(const T& value) {
    Serializer<T>::Write(this, value);
  }
  template <typename T>
  bool ReadArray(T* values, size_t count) {
    return Read(static_cast<void*>(values), sizeof(T) * count) == sizeof(T) * count;
  }
  template <typename T>
  void WriteArray(const T* values, size_t count) {
    Write(static_cast<const void*>(values), sizeof(T) * count);
  }
};

class BytesInStream : public Stream {
 public:
  using Stream::Read;
  using Stream::Write;
  template <typename Bytes>
  explicit BytesInStream(const Bytes& bytes) : next_(bytes.data()), left_(bytes.size()) {}

  size_t Read(void* to, size_t size) override {
    size = std::min(size, left_);
    std::memcpy(to, next_, size);
    next_ += size;
    left_ -= size;
    return size;
  }
  size_t Write(const void*, size_t) override { TVM_FFI_THROW(InternalError) << "read only"; }

 private:
  const char* next_;
  size_t left_;
};

class BytesOutStream : public Stream {
 public:
  using Stream::Read;
  using Stream::Write;
  explicit BytesOutStream(std::string* bytes) : bytes_(bytes) {}

  size_t Read(void*, size_t) override { TVM_FFI_THROW(InternalError) << "write only"; }
  size_t Write(const void* from, size_t size) override {
    bytes_->append(static_cast<const char*>(from), size);
    return size;
  }

 private:
  std::string* bytes_;
};

// Only a compiler saves tensors as JSON.
struct NoBase64 : Stream {
  using Stream::Read;
  using Stream::Write;
  explicit NoBase64(Stream*) {}
  size_t Read(void*, size_t) override { TVM_FFI_THROW(RuntimeError) << "no tensors in JSON here"; }
  size_t Write(const void*, size_t) override {
    TVM_FFI_THROW(RuntimeError) << "no tensors in JSON here";
  }
  void InitPosition() {}
  void Finish() {}
};
using Base64InStream = NoBase64;
using Base64OutStream = NoBase64;

struct NVTXScopedRange {
  explicit NVTXScopedRange(const std::string&) {}
};

// What RPC keeps of a connection's bytes until they are whole messages, or are sent.
class RingBuffer {
 public:
  size_t bytes_available() const { return bytes_.size() - begin_; }
  void Reserve(size_t) {}

  void Read(void* to, size_t size) {
    if (size > bytes_available()) TVM_FFI_THROW(InternalError) << "the message is too short";
    std::memcpy(to, bytes_.data() + begin_, size);
    Drop(size);
  }
  void Write(const void* from, size_t size) {
    const char* begin = static_cast<const char*>(from);
    bytes_.insert(bytes_.end(), begin, begin + size);
  }
  template <typename Send>
  size_t ReadWithCallback(Send send, size_t size) {
    size = send(bytes_.data() + begin_, std::min(size, bytes_available()));
    Drop(size);
    return size;
  }
  template <typename Receive>
  size_t WriteWithCallback(Receive receive, size_t size) {
    const size_t end = bytes_.size();
    bytes_.resize(end + size);
    size = receive(bytes_.data() + end, size);
    bytes_.resize(end + size);
    return size;
  }

 private:
  void Drop(size_t size) {
    begin_ += size;
    if (begin_ == bytes_.size()) {
      bytes_.clear();
      begin_ = 0;
    }
  }

  std::vector<char> bytes_;
  size_t begin_ = 0;
};

// Memory of one message's arguments.
class Arena {
 public:
  template <typename T>
  T* allocate_(size_t count) {
    blocks_.emplace_back(new std::max_align_t[count * sizeof(T) / sizeof(std::max_align_t) + 1]);
    return reinterpret_cast<T*>(blocks_.back().get());
  }
  void RecycleAll() { blocks_.clear(); }

 private:
  std::vector<std::unique_ptr<std::max_align_t[]>> blocks_;
};

inline bool StartsWith(const std::string& text, const char* prefix) {
  return text.rfind(prefix, 0) == 0;
}

inline bool IsNumber(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isdigit(c) != 0;
  });
}

template <typename T>
constexpr bool kPlain = std::is_arithmetic_v<T> || std::is_enum_v<T> ||
                        std::is_same_v<T, DLDataType> || std::is_same_v<T, DLDevice>;

template <typename T>
struct Serializer<T, std::enable_if_t<kPlain<T>>> {
  static void Write(Stream* to, const T& value) { to->WriteArray(&value, 1); }
  static bool Read(Stream* from, T* value) { return from->ReadArray(value, 1); }
};

// A size, then each element; `Append(container, element)` says how one is put back.
template <typename Container, typename Element, typename Append>
struct ElementWise {
  static void Write(Stream* to, const Container& values) {
    to->Write<uint64_t>(values.size());
    for (const auto& value : values) to->Write<Element>(value);
  }
  static bool Read(Stream* from, Container* values) {
    uint64_t size;
    if (!from->Read(&size)) return false;
    Container read;
    for (Element element; size-- > 0; Append()(&read, std::move(element))) {
      if (!from->Read(&element)) return false;
    }
    *values = std::move(read);
    return true;
  }
};

struct PushBack {
  template <typename Container, typename Element>
  void operator()(Container* to, Element&& element) {
    to->push_back(std::forward<Element>(element));
  }
};

struct Insert {
  template <typename Container, typename Element>
  void operator()(Container* to, Element&& element) {
    to->Set(element.first, element.second);
  }
};

template <typename A, typename B>
struct Serializer<std::pair<A, B>> {
  static void Write(Stream* to, const std::pair<A, B>& value) {
    to->Write(value.first);
    to->Write(value.second);
  }
  static bool Read(Stream* from, std::pair<A, B>* value) {
    return from->Read(&value->first) && from->Read(&value->second);
  }
};

template <>
struct Serializer<std::string> : ElementWise<std::string, char, PushBack> {};
template <typename T>
struct Serializer<std::vector<T>> : ElementWise<std::vector<T>, T, PushBack> {};
template <typename T>
struct Serializer<ffi::Array<T>> : ElementWise<ffi::Array<T>, T, PushBack> {};
template <typename K, typename V>
struct Serializer<ffi::Map<K, V>> : ElementWise<ffi::Map<K, V>, std::pair<K, V>, Insert> {};

template <typename T>
struct Serializer<T, std::enable_if_t<std::is_same_v<T, ffi::String> ||
                                      std::is_same_v<T, ffi::Bytes>>> {
  static void Write(Stream* to, const T& value) {
    to->Write(std::string(value.data(), value.size()));
  }
  static bool Read(Stream* from, T* value) {
    std::string bytes;
    if (!from->Read(&bytes)) return false;
    *value = T(std::move(bytes));
    return true;
  }
};

}  // namespace tvm::support

#endif  // TVM_RUNTIME_ARMV7L_H_
