// The server's end of TLS. Input: size of the pieces, how many bytes of a real ClientHello come first, then
// bytes as a stranger sends them. Whatever they are: nothing reaches the core before a handshake, the filter
// holds no more than it may, and it keeps to its state once it gave up.
#include <algorithm>
#include <string>
#include <string_view>

#include "base/log.h"
#include "fuzz_input.h"
#include "net/tls_context.h"
#include "net/tls_hello.h"
#include "tests/support/test_certificates.h"

using namespace nightjar;
using nightjar::fuzz::require;

namespace {

std::shared_ptr<net::TlsContext> listener() {
  static const test_support::TestCertificates files;
  static const auto context = net::TlsContext::open(
      {.listener = "fuzz", .certificates = {{files.path("server.pem"), files.path("server.key")}}});
  require(context.has_value(), "the test certificate is served");
  return *context;
}

// As OpenSSL's client writes it.
const std::string& client_hello() {
  static const std::string hello = [] {
    const net::SslContextPtr context(SSL_CTX_new(TLS_client_method()));
    const net::SslPtr client(SSL_new(context.get()));
    BIO* const out = BIO_new(BIO_s_mem());
    SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), out);
    SSL_set_connect_state(client.get());
    SSL_do_handshake(client.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(out, &data);
    return std::string(data, static_cast<std::size_t>(size));
  }();
  return hello;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  log::set_level(log::Level::kError);
  fuzz::Input input{data, size};
  const std::size_t piece = 1 + input.choice(255);
  const std::size_t real = client_hello().size() * input.choice(9) / 8;
  std::string bytes = client_hello().substr(0, real);
  bytes += as_text(input.rest());
  const auto filter = net::make_tls_filter(listener(), net::PeerAddress{});
  bool holds = true;
  for (std::string_view rest = bytes; !rest.empty();) {
    const std::string_view next = rest.substr(0, piece);
    rest.remove_prefix(next.size());
    const bool held = holds;
    holds = filter->receive(as_bytes(next));
    require(held || !holds, "a broken stream stays broken");
    require(!filter->has_plain(), "nothing is plain before a handshake");
    require(filter->proof() == nullptr, "nothing is known before a handshake");
    filter->send(as_bytes("not yet"));
    require(filter->wire().size() < 64 * 1024, "the answers are bounded");
  }
  filter->finish();
  require(!filter->receive(as_bytes("more")), "after the end nothing is taken");
  return 0;
}
