// A client's end of TLS in the same thread: its bytes go into a filter and the filter's come back, without a
// socket, in pieces of any size.
#pragma once

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "net/tls_context.h"
#include "net/turn_budget.h"
#include "tests/support/test_certificates.h"

namespace nightjar::net {

struct TestClientOptions {
  std::string certificate{};  // with its key beside it: "client" is client.pem and client.key
  std::string server_name = "localhost";
  std::string alpn{};
  std::string ciphers{};
  std::string psk_identity{};
  std::string psk_key{};
  int version = 0;  // TLS1_2_VERSION ...; 0: any
  SSL_SESSION* session = nullptr;
};

class TlsTestClient {
 public:
  TlsTestClient(const test_support::TestCertificates& files, TestClientOptions options)
      : options_(std::move(options)), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_load_verify_file(context_.get(), files.path("ca.pem").c_str());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    if (options_.version != 0) {
      SSL_CTX_set_min_proto_version(context_.get(), options_.version);
      SSL_CTX_set_max_proto_version(context_.get(), options_.version);
    }
    if (!options_.ciphers.empty()) SSL_CTX_set_cipher_list(context_.get(), options_.ciphers.c_str());
    if (!options_.certificate.empty()) {
      SSL_CTX_use_certificate_file(context_.get(), files.path(options_.certificate + ".pem").c_str(),
                                   SSL_FILETYPE_PEM);
      SSL_CTX_use_PrivateKey_file(context_.get(), files.path(options_.certificate + ".key").c_str(),
                                  SSL_FILETYPE_PEM);
    }
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* ssl, SSL_SESSION* session) {
      auto* const self = static_cast<TlsTestClient*>(SSL_get_app_data(ssl));
      self->session_.reset(session);
      return 1;
    });
    if (!options_.psk_identity.empty()) SSL_CTX_set_psk_client_callback(context_.get(), give_psk);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (!options_.server_name.empty()) {
      // OpenSSL's macro for it is an old-style cast.
      SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               options_.server_name.data());
    }
    if (!options_.alpn.empty()) {
      const std::string wire = static_cast<char>(options_.alpn.size()) + options_.alpn;
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(wire.data()),
                          static_cast<unsigned>(wire.size()));
    }
    if (options_.session != nullptr) SSL_set_session(ssl_.get(), options_.session);
    SSL_set_connect_state(ssl_.get());
  }

  // What it wants to send now, taken.
  std::string output() {
    if (!SSL_is_init_finished(ssl_.get())) SSL_do_handshake(ssl_.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(ssl_.get()), &data);
    std::string bytes(data, static_cast<std::size_t>(size));
    BIO_reset(SSL_get_wbio(ssl_.get()));
    return bytes;
  }
  void input(std::string_view bytes) {
    BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
    ERR_clear_error();
    if (!SSL_is_init_finished(ssl_.get())) SSL_do_handshake(ssl_.get());
    std::string chunk(32 * 1024, '\0');
    int count = 0;
    while ((count = SSL_read(ssl_.get(), chunk.data(), static_cast<int>(chunk.size()))) > 0) {
      received.append(chunk.data(), static_cast<std::size_t>(count));
    }
    if (SSL_get_error(ssl_.get(), count) == SSL_ERROR_SSL) reason = ERR_GET_REASON(ERR_peek_last_error());
    ERR_clear_error();
  }
  // Encrypts; output() has it.
  void say(std::string_view text) { SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())); }
  void close_notify() { SSL_shutdown(ssl_.get()); }
  [[nodiscard]] bool was_closed() const {
    return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  [[nodiscard]] bool is_open() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  [[nodiscard]] bool is_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  [[nodiscard]] SSL_SESSION* session() const { return session_.get(); }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

  std::string received;
  int reason = 0;  // of the first fatal failure that it saw, as OpenSSL numbers them

 private:
  static unsigned give_psk(SSL* ssl, const char* /*hint*/, char* identity, unsigned identity_max,
                           unsigned char* key, unsigned key_max) {
    const auto* self = static_cast<const TlsTestClient*>(SSL_get_app_data(ssl));
    const TestClientOptions& options = self->options_;
    if (options.psk_identity.size() >= identity_max || options.psk_key.size() > key_max) return 0;
    identity[options.psk_identity.copy(identity, identity_max - 1)] = '\0';
    std::copy(options.psk_key.begin(), options.psk_key.end(), key);
    return static_cast<unsigned>(options.psk_key.size());
  }

  TestClientOptions options_;
  SslContextPtr context_;
  std::unique_ptr<SSL_SESSION, OpensslFree<SSL_SESSION_free>> session_;
  SslPtr ssl_;
};

// A listener's context, a filter of it and a client, with the bytes going back and forth.
struct TlsPair {
  TlsPair(const test_support::TestCertificates& files, std::shared_ptr<TlsContext> context,
          TestClientOptions options = {})
      : client(files, std::move(options)), filter(make_tls_filter(std::move(context), PeerAddress{})) {}

  // Gives the filter bytes in pieces, in a turn of their own; what becomes plain goes to `plain`.
  bool give(std::string_view bytes, std::size_t piece = SIZE_MAX) {
    TurnBudget::renew();
    while (!bytes.empty() && holds) {
      const std::string_view next = bytes.substr(0, piece);
      bytes.remove_prefix(next.size());
      holds = filter->receive(as_bytes(next));
      take_plain();
    }
    return holds;
  }
  void take_plain() {
    while (filter->has_plain()) plain += as_text(filter->next_plain());
  }
  std::string take_wire() {
    std::string bytes(as_text(filter->wire().view()));
    filter->wire().clear();
    return bytes;
  }
  // Until neither has anything to say.
  TlsPair& run(std::size_t piece = SIZE_MAX) {
    for (int i = 0; i < 20; ++i) {
      const std::string up = client.output();
      give(up, piece);
      const std::string down = take_wire();
      if (up.empty() && down.empty()) break;
      client.input(down);
    }
    return *this;
  }

  TlsTestClient client;
  std::unique_ptr<StreamFilter> filter;
  std::string plain;
  bool holds = true;
};

}  // namespace nightjar::net
