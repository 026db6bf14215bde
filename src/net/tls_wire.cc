#include "net/tls_wire.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace nightjar::net {
namespace {

TlsWire& wire_of(BIO* bio) { return *static_cast<TlsWire*>(BIO_get_data(bio)); }

int read_wire(BIO* bio, char* into, std::size_t size, std::size_t* count) {
  ByteView& in = wire_of(bio).in;
  BIO_clear_retry_flags(bio);
  *count = std::min(size, in.size());
  if (*count == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(into, in.data(), *count);
  in = in.subspan(*count);
  return 1;
}

int write_wire(BIO* bio, const char* bytes, std::size_t size, std::size_t* count) {
  wire_of(bio).out.append(ByteView{reinterpret_cast<const std::byte*>(bytes), size});
  *count = size;
  return 1;
}

long control_wire(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* wire_method() {
  static const std::unique_ptr<BIO_METHOD, OpensslFree<BIO_meth_free>> kMethod = [] {
    std::unique_ptr<BIO_METHOD, OpensslFree<BIO_meth_free>> made(
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire"));
    BIO_meth_set_read_ex(made.get(), read_wire);
    BIO_meth_set_write_ex(made.get(), write_wire);
    BIO_meth_set_ctrl(made.get(), control_wire);
    return made;
  }();
  return kMethod.get();
}

}  // namespace

bool set_wire(SSL* ssl, TlsWire& wire) {
  BIO* const bio = BIO_new(wire_method());
  if (bio == nullptr) return false;
  BIO_set_data(bio, &wire);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  return true;
}

}  // namespace nightjar::net
