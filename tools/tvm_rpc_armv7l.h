// The server's side of TVM's RPC over a socket that is connected. TVM's own file for it also makes
// connections, with a header that its wheels do not carry.
#include <sys/socket.h>

#include <cerrno>

namespace tvm::runtime {

class SocketChannel final : public RPCChannel {
 public:
  explicit SocketChannel(int socket) : socket_(socket) {}
  size_t Send(const void* data, size_t size) final {
    return Retry([&] { return send(socket_, data, size, MSG_NOSIGNAL); });
  }
  size_t Recv(void* data, size_t size) final {
    return Retry([&] { return recv(socket_, data, size, 0); });
  }

 private:
  template <typename Call>
  static size_t Retry(Call call) {
    ssize_t done;
    do {
      done = call();
    } while (done < 0 && errno == EINTR);
    if (done < 0) TVM_FFI_THROW(InternalError) << "the connection is lost: " << strerror(errno);
    return static_cast<size_t>(done);
  }

  int socket_;
};

TVM_FFI_STATIC_INIT_BLOCK() {
  ffi::reflection::GlobalDef().def("rpc.ServerLoop", [](int socket) {
    RPCEndpoint::Create(std::make_unique<SocketChannel>(socket), "SockServerLoop", "")
        ->ServerLoop();
  });
}

}  // namespace tvm::runtime
