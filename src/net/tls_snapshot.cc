#include "net/tls_snapshot.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <utility>

#include "net/tls_callbacks.h"
#include "net/tls_certificate.h"
#include "net/tls_chain.h"

namespace nightjar::net {
namespace {

using Done = Result<void, TlsError>;

// Forward secrecy and authenticated encryption only.
constexpr const char* kModernCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM";
// A controller decrypts a record once it has all of it, in a buffer that may be smaller than TLS allows.
constexpr long kControllerRecordBytes = 4 * 1024;
// Controllers may know RSA key exchange and CBC only, and show certificates signed with SHA-1.
constexpr const char* kControllerCiphers =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES:@SECLEVEL=1";
constexpr const char* kPskCiphers = ":ECDHE+kECDHEPSK:DHEPSK:kPSK+AESGCM:kPSK+AES:!eNULL";
// How long a client may resume a session without showing its certificate again.
constexpr long kTicketSeconds = 2 * 3600;

tl::unexpected<TlsError> wrong(std::string_view key, std::string message, std::size_t pair = 0) {
  return tl::make_unexpected(TlsError{std::string(key), pair, std::move(message)});
}

// Gives the error of a file the key that names the file.
template <typename T>
Result<T, TlsError> at_key(Result<T> read, std::string_view key, std::size_t pair = 0) {
  if (!read) return wrong(key, std::move(read.error().message), pair);
  return std::move(*read);
}

std::string date_of(const ASN1_TIME* time) {
  const std::time_t seconds = seconds_of(time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
}

}  // namespace

// Makes a snapshot step by step; the first step that fails says what is wrong.
class TlsSnapshotMaker {
 public:
  explicit TlsSnapshotMaker(const TlsSettings& settings) : settings_(settings) {}

  Result<std::shared_ptr<const TlsSnapshot>, TlsError> make() {
    made_->speaks_websocket_ = settings_.speaks_websocket;
    made_->asks_for_certificates_ = settings_.client_certificate != TlsClientCertificate::kNone;
    made_->ignores_client_dates_ = settings_.ignores_client_dates;
    if (!settings_.psk_file.empty()) {
      NJ_TRY(made_->psk_, at_key(read_psk_file(settings_.psk_file), "psk_file"));
      if (made_->psk_.empty()) warn(fmt::format("{} has no keys", settings_.psk_file));
    }
    if (!settings_.crl.empty()) NJ_CHECK(read_revoked());
    for (std::size_t i = 0; i < settings_.certificates.size(); ++i) NJ_CHECK(add_pair(i));
    if (settings_.certificates.empty()) {
      NJ_TRY(SslContextPtr context, make_context());
      made_->contexts_.push_back(std::move(context));
    }
    return std::shared_ptr<const TlsSnapshot>(std::move(made_));
  }

 private:
  void warn(std::string text) { made_->warnings_.push_back(std::move(text)); }

  Done read_revoked() {
    NJ_TRY(made_->crls_, at_key(read_crls(settings_.crl), "crl"));
    for (const CrlPtr& crl : made_->crls_) {
      made_->crl_issuers_.push_back(text_of(X509_CRL_get_issuer(crl.get())));
      const ASN1_TIME* next = X509_CRL_get0_nextUpdate(crl.get());
      if (next == nullptr || X509_cmp_current_time(next) > 0 || settings_.ignores_client_dates) continue;
      warn(fmt::format(
          "the revocation list of \"{}\" in {} is out of date since {}: clients are refused until "
          "its authority's new list is there",
          made_->crl_issuers_.back(), settings_.crl, date_of(next)));
    }
    return {};
  }

  Done add_pair(std::size_t pair) {
    const TlsCertificateFiles& files = settings_.certificates[pair];
    NJ_TRY(auto chain, at_key(read_certificates(files.certificate), "certificate", pair));
    NJ_TRY(KeyPtr key, at_key(read_private_key(files.key), "key", pair));
    if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
      ERR_clear_error();
      return wrong(
          "key",
          fmt::format("the key in {} does not belong to the first certificate in {} ({}); both files "
                      "must come from the same request",
                      files.key, files.certificate, text_of(X509_get_subject_name(chain.front().get()))),
          pair);
    }
    look_at_dates(files, *chain.front());
    look_at_chain(files, chain);
    NJ_TRY(SslContextPtr context, make_context());
    NJ_CHECK(use_pair(context.get(), files, chain, key.get(), pair));
    made_->certificates_.push_back({.file = files.certificate,
                                    .subject = text_of(X509_get_subject_name(chain.front().get())),
                                    .serial = text_of(X509_get0_serialNumber(chain.front().get())),
                                    .valid_until_s = seconds_of(X509_get0_notAfter(chain.front().get()))});
    made_->contexts_.push_back(std::move(context));
    made_->leaves_.push_back(std::move(chain.front()));
    return {};
  }

  // A wrong date is no reason not to start: the clock may be what is wrong, and old clients do not look.
  void look_at_dates(const TlsCertificateFiles& files, const X509& certificate) {
    const ASN1_TIME* until = X509_get0_notAfter(&certificate);
    const ASN1_TIME* from = X509_get0_notBefore(&certificate);
    if (X509_cmp_current_time(until) < 0) {
      warn(fmt::format("the certificate in {} expired on {}: clients will refuse it; renew it",
                       files.certificate, date_of(until)));
    }
    if (X509_cmp_current_time(from) > 0) {
      warn(
          fmt::format("the certificate in {} is valid from {} on only: clients will refuse it until then; is "
                      "this machine's clock right?",
                      files.certificate, date_of(from)));
    }
  }

  void look_at_chain(const TlsCertificateFiles& files, const std::vector<CertificatePtr>& chain) {
    for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
      if (X509_check_issued(chain[i + 1].get(), chain[i].get()) == X509_V_OK) continue;
      return warn(
          fmt::format("in {} certificate {} was not issued by the one that follows it: put the server's "
                      "first and behind each the one of its authority",
                      files.certificate, i + 1));
    }
  }

  static Done use_pair(SSL_CTX* context, const TlsCertificateFiles& files,
                       const std::vector<CertificatePtr>& chain, EVP_PKEY* key, std::size_t pair) {
    ERR_clear_error();
    if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
      return wrong(
          "certificate",
          fmt::format("the certificate in {} cannot be used: {}; make one with a longer key and SHA-256, "
                      "or set profile = \"plc\"",
                      files.certificate, openssl_reason()),
          pair);
    }
    if (SSL_CTX_use_PrivateKey(context, key) != 1) {
      return wrong("key", fmt::format("the key in {} cannot be used: {}", files.key, openssl_reason()), pair);
    }
    for (std::size_t i = 1; i < chain.size(); ++i) {
      if (SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1) continue;
      return wrong(
          "certificate",
          fmt::format("certificate {} in {} cannot be used: {}", i + 1, files.certificate, openssl_reason()),
          pair);
    }
    return {};
  }

  Result<SslContextPtr, TlsError> make_context() {
    SslContextPtr context(SSL_CTX_new(TLS_server_method()));
    if (!context) return wrong("certificate", "OpenSSL gives no context: " + openssl_reason());
    SSL_CTX* const c = context.get();
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
    // No buffer stays with a silent connection. Client authorities are not for completing our own chain.
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);  // tickets are kept by the clients
    SSL_CTX_set_timeout(c, kTicketSeconds);
    SSL_CTX_set_num_tickets(c, 1);
    if (settings_.serves_controllers) SSL_CTX_set_max_send_fragment(c, kControllerRecordBytes);
    constexpr std::string_view kSessions = "nightjar";
    SSL_CTX_set_session_id_context(c, reinterpret_cast<const unsigned char*>(kSessions.data()),
                                   kSessions.size());
    NJ_CHECK(set_versions(c));
    NJ_CHECK(set_ciphers(c));
    NJ_CHECK(set_dh(c));
    NJ_CHECK(trust_clients(c));
    use_psk(c);
    install_callbacks(c, settings_.psk_file.empty() ? WithPsk::kNo : WithPsk::kYes);
    return context;
  }

  Done set_versions(SSL_CTX* c) const {
    const auto number = [](TlsProtocolVersion version) {
      return version == TlsProtocolVersion::kTls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    };
    if (settings_.min_version > settings_.max_version) {
      return wrong("min_version", "it is above max_version, so that no version is left");
    }
    SSL_CTX_set_min_proto_version(c, number(settings_.min_version));
    SSL_CTX_set_max_proto_version(c, number(settings_.max_version));
    return {};
  }

  Done set_ciphers(SSL_CTX* c) const {
    std::string ciphers = settings_.ciphers;
    if (ciphers.empty()) {
      ciphers = settings_.serves_controllers ? kControllerCiphers : kModernCiphers;
      if (!settings_.psk_file.empty()) ciphers += kPskCiphers;
    }
    ERR_clear_error();
    if (SSL_CTX_set_cipher_list(c, ciphers.c_str()) != 1) {
      ERR_clear_error();
      return wrong("ciphers",
                   fmt::format("OpenSSL finds no suite of TLS 1.2 in \"{}\"; \"openssl ciphers -v\" lists "
                               "them",
                               ciphers));
    }
    if (settings_.ciphers_tls13.empty()) return {};
    if (SSL_CTX_set_ciphersuites(c, settings_.ciphers_tls13.c_str()) != 1) {
      ERR_clear_error();
      return wrong("ciphers_tls13",
                   fmt::format("\"{}\" is no list of suites of TLS 1.3; these are TLS_AES_128_GCM_SHA256, "
                               "TLS_AES_256_GCM_SHA384 and TLS_CHACHA20_POLY1305_SHA256, with colons between",
                               settings_.ciphers_tls13));
    }
    return {};
  }

  Done set_dh(SSL_CTX* c) const {
    if (settings_.dh_params.empty()) {
      SSL_CTX_set_dh_auto(c, 1);
      return {};
    }
    NJ_TRY(KeyPtr params, at_key(read_dh_params(settings_.dh_params), "dh_params"));
    if (SSL_CTX_set0_tmp_dh_pkey(c, params.get()) != 1) {
      return wrong("dh_params",
                   fmt::format("the parameters in {0} cannot be used: {1}; make better ones: openssl "
                               "dhparam -out {0} 2048",
                               settings_.dh_params, openssl_reason()));
    }
    static_cast<void>(params.release());  // the context's now
    return {};
  }

  Done trust_clients(SSL_CTX* c) const {
    if (settings_.client_certificate == TlsClientCertificate::kNone) return {};
    if (settings_.client_ca.empty() && settings_.client_ca_dir.empty()) {
      return wrong(
          "client_certificate",
          "clients show certificates, but nothing says who may issue them; set client_ca to the PEM file "
          "of their authority");
    }
    NJ_CHECK(load_authorities(c));
    unsigned long flags = 0;
    if (settings_.ignores_client_dates) flags |= X509_V_FLAG_NO_CHECK_TIME;
    if (!made_->crls_.empty()) flags |= X509_V_FLAG_CRL_CHECK;
    X509_STORE* const store = SSL_CTX_get_cert_store(c);
    X509_STORE_set_flags(store, flags);
    for (const CrlPtr& crl : made_->crls_) X509_STORE_add_crl(store, crl.get());
    const int required =
        settings_.client_certificate == TlsClientCertificate::kRequired ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | required, judge_authority);
    note_authorities_in_tickets(c);
    return {};
  }

  // Their names go to the clients as well, which choose a certificate by them.
  Done load_authorities(SSL_CTX* c) const {
    STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
    SSL_CTX_set_client_CA_list(c, names);  // owns it
    if (!settings_.client_ca.empty()) {
      NJ_TRY(const auto authorities, at_key(read_certificates(settings_.client_ca), "client_ca"));
      for (const CertificatePtr& authority : authorities) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(c), authority.get());
        SSL_CTX_add_client_CA(c, authority.get());
      }
      if (X509_check_ca(authorities.front().get()) == 0) {
        return wrong(
            "client_ca",
            fmt::format("the certificate in {} ({}) is not that of an authority, so nothing that it signs "
                        "is accepted; name the file of the CA that issues the clients' certificates",
                        settings_.client_ca, text_of(X509_get_subject_name(authorities.front().get()))));
      }
    }
    if (settings_.client_ca_dir.empty()) return {};
    ERR_clear_error();
    if (SSL_add_dir_cert_subjects_to_stack(names, settings_.client_ca_dir.c_str()) != 1 ||
        SSL_CTX_load_verify_dir(c, settings_.client_ca_dir.c_str()) != 1) {
      return wrong(
          "client_ca_dir",
          fmt::format("the certificates in {0} cannot be read: {1}; each is a PEM file, and \"openssl "
                      "rehash {0}\" gives them the names by which they are found",
                      settings_.client_ca_dir, openssl_reason()));
    }
    return {};
  }

  void use_psk(SSL_CTX* c) const {
    if (settings_.psk_file.empty()) return;
    // A ticket would not say which key it came from, and a handshake with a key is cheap.
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(c, 0);
    if (!settings_.psk_hint.empty()) SSL_CTX_use_psk_identity_hint(c, settings_.psk_hint.c_str());
  }

  const TlsSettings& settings_;
  std::shared_ptr<TlsSnapshot> made_{new TlsSnapshot};
};

Result<std::shared_ptr<const TlsSnapshot>, TlsError> TlsSnapshot::open(const TlsSettings& settings) {
  return TlsSnapshotMaker(settings).make();
}

SSL_CTX* TlsSnapshot::context_for(std::string_view name) const {
  for (std::size_t i = 0; i < leaves_.size(); ++i) {
    if (X509_check_host(leaves_[i].get(), name.data(), name.size(), 0, nullptr) == 1)
      return contexts_[i].get();
  }
  return context();
}

const std::string* TlsSnapshot::psk_of(std::string_view identity) const {
  const auto found = psk_.find(identity);
  return found == psk_.end() ? nullptr : &found->second;
}

bool TlsSnapshot::is_revoked(const broker::PeerProof& client) const {
  return is_revoked(client.number) ||
         std::any_of(client.authorities.begin(), client.authorities.end(),
                     [this](const broker::CertificateNumber& authority) { return is_revoked(authority); });
}

bool TlsSnapshot::is_revoked(const broker::CertificateNumber& certificate) const {
  for (std::size_t i = 0; i < crls_.size(); ++i) {
    if (crl_issuers_[i] != certificate.issuer) continue;
    BIGNUM* number = nullptr;
    if (BN_hex2bn(&number, certificate.serial.c_str()) == 0) continue;
    ASN1_INTEGER* const asked = BN_to_ASN1_INTEGER(number, nullptr);
    BN_free(number);
    X509_REVOKED* entry = nullptr;
    const int found = X509_CRL_get0_by_serial(crls_[i].get(), &entry, asked);
    ASN1_INTEGER_free(asked);
    if (found == 1) return true;  // 2 would be "removed from the list"
  }
  return false;
}

}  // namespace nightjar::net
