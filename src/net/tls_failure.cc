#include "net/tls_failure.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <string_view>

namespace nightjar::net {
namespace {

struct Explanation {
  int reason;
  std::string_view text;
};

constexpr Explanation kExplanations[] = {
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA,
     "a client does not trust the authority of this listener's certificate; give it the CA's certificate "
     "(--cafile)"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
     "a client refuses this listener's certificate: the name or address that it connects to may be missing "
     "in it (\"nightjar tls explain\" tells), or the client's clock may stand before the certificate's first "
     "day"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
     "a client refuses this listener's certificate: it does not know the authority, or the name that it "
     "connects to "
     "is missing; \"nightjar tls explain\" tells"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
     "a client says that this listener's certificate has expired; renew it, or set the client's clock"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
     "a client gave up the handshake; it may know other suites only (profile = \"plc\" serves old ones)"},
    {SSL_R_UNSUPPORTED_PROTOCOL,
     "a client knows only versions of TLS that this listener does not serve; see min_version, or update the "
     "client"},
    {SSL_R_VERSION_TOO_LOW,
     "a client knows only versions of TLS that this listener does not serve; see min_version, or update the "
     "client"},
    {SSL_R_NO_SHARED_CIPHER,
     "a client and this listener have no suite in common; profile = \"plc\" serves old ones, \"ciphers\" "
     "others"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
     "a client shows no certificate, and client_certificate is \"required\"; give it one (--cert, --key)"},
    {SSL_R_PSK_IDENTITY_NOT_FOUND, "a client's pre-shared key has an identity that psk_file does not have"},
    {SSL_R_BINDER_DOES_NOT_VERIFY,
     "a client's pre-shared key is not the one that psk_file has for its identity"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC,
     "a client's bytes do not decrypt; with pre-shared keys: its key is not the one in psk_file"},
};

}  // namespace

std::string explain_failure(const SSL* ssl, const TlsHandshake* handshake) {
  const unsigned long error = ERR_peek_last_error();
  const int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
  const long verified = SSL_get_verify_result(ssl);
  ERR_clear_error();
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED || reason == SSL_R_NO_CERTIFICATE_ASSIGNED) {
    return fmt::format("a client's certificate is refused: {}; it must come from the authority in client_ca",
                       X509_verify_cert_error_string(verified));
  }
  if (handshake != nullptr && !handshake->refused_protocols.empty()) {
    return fmt::format(
        "a client speaks only {} (ALPN), and this listener \"mqtt\"; is it meant for another port?",
        handshake->refused_protocols);
  }
  for (const Explanation& known : kExplanations) {
    if (known.reason == reason) return std::string(known.text);
  }
  const char* words = ERR_reason_error_string(error);
  return fmt::format("a handshake failed: {}", words != nullptr ? words : "the client broke off");
}

}  // namespace nightjar::net
