#include "net/tls_authority.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <utility>

#include "net/tls_files.h"

namespace nightjar::net {
namespace {

using Extension = std::unique_ptr<X509_EXTENSION, OpensslFree<X509_EXTENSION_free>>;
using SerialPtr = std::unique_ptr<ASN1_INTEGER, OpensslFree<ASN1_INTEGER_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, OpensslFree<ASN1_TIME_free>>;

constexpr std::size_t kSerialBytes = 16;
constexpr int kRsaBits = 2048;
constexpr std::size_t kNameBytesMax = 253;  // of a DNS name
constexpr std::size_t kCommonNameMax = 64;  // ub-common-name

// The parsed form of a PemPair.
struct Authority {
  CertificatePtr certificate;
  KeyPtr key;
};

tl::unexpected<Error> failed(std::string_view what) {
  return fail(fmt::format("OpenSSL cannot make {}: {}", what, openssl_reason()));
}

KeyPtr make_key(KeyKind kind) {
  return KeyPtr(kind == KeyKind::kRsa2048 ? EVP_RSA_gen(kRsaBits) : EVP_EC_gen("P-256"));
}

template <typename Write>
std::string pem_of(Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (write(bio.get()) != 1) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

PemPair pem_pair(X509* certificate, const EVP_PKEY* key) {
  return {.certificate = pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); }),
          .key = pem_of([&](BIO* bio) {
            return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

Result<Authority> parse(const PemPair& pair) {
  const BioPtr certificate(
      BIO_new_mem_buf(pair.certificate.data(), static_cast<int>(pair.certificate.size())));
  const BioPtr key(BIO_new_mem_buf(pair.key.data(), static_cast<int>(pair.key.size())));
  Authority authority{CertificatePtr(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr)),
                      KeyPtr(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr))};
  if (!authority.certificate || !authority.key) return failed("anything of the authority's files");
  if (X509_check_private_key(authority.certificate.get(), authority.key.get()) != 1) {
    return fail("the authority's key does not belong to its certificate");
  }
  return authority;
}

// Nobody can guess it, and no two are the same.
bool set_serial(X509* certificate) {
  std::array<unsigned char, kSerialBytes> bytes{};
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7FU) | 0x40U);  // positive, and of full length
  BIGNUM* const number = BN_bin2bn(bytes.data(), bytes.size(), nullptr);
  const bool is_set = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return is_set;
}

void set_times(X509* certificate, std::int64_t from_s, std::int64_t until_s) {
  const std::time_t now = std::time(nullptr);
  ASN1_TIME_set(X509_getm_notBefore(certificate), now + from_s);
  ASN1_TIME_set(X509_getm_notAfter(certificate), now + until_s);
}

bool set_name(X509* certificate, const std::string& common_name) {
  return X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0) == 1;
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string names_text(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ',';
    text += (is_ip_address(name) ? "IP:" : "DNS:") + name;
  }
  return text;
}

bool fill_in(X509* certificate, EVP_PKEY* key, const std::string& common_name) {
  return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
         set_name(certificate, common_name) && X509_set_pubkey(certificate, key) == 1;
}

bool add_issued_extensions(X509* certificate, X509* issuer, const CertificateRequest& request) {
  const bool is_rsa = request.key_kind == KeyKind::kRsa2048;
  return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, issuer, NID_key_usage,
                       is_rsa ? "critical,digitalSignature,keyEncipherment" : "critical,digitalSignature") &&
         add_extension(certificate, issuer, NID_ext_key_usage,
                       request.is_server ? "serverAuth" : "clientAuth") &&
         add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
         add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
         (request.names.empty() ||
          add_extension(certificate, issuer, NID_subject_alt_name, names_text(request.names)));
}

Result<void> check(const CertificateRequest& request) {
  if (request.common_name.empty() || request.common_name.size() > kCommonNameMax) {
    return fail(fmt::format("\"{}\" cannot be a certificate's common name, which has 1 to {} characters",
                            request.common_name, kCommonNameMax));
  }
  for (const std::string& name : request.names) {
    if (!is_certificate_name(name)) return fail(fmt::format("\"{}\" is no DNS name and no IP address", name));
  }
  return {};
}

bool add_revoked(X509_CRL* crl, const X509* certificate) {
  X509_REVOKED* const entry = X509_REVOKED_new();
  const TimePtr now(ASN1_TIME_set(nullptr, std::time(nullptr)));
  const SerialPtr serial(ASN1_INTEGER_dup(X509_get0_serialNumber(certificate)));
  X509_REVOKED_set_serialNumber(entry, serial.get());
  X509_REVOKED_set_revocationDate(entry, now.get());
  return X509_CRL_add0_revoked(crl, entry) == 1;
}

}  // namespace

bool is_ip_address(const std::string& text) {
  std::array<unsigned char, 16> bytes{};
  return ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

bool is_certificate_name(const std::string& name) {
  if (is_ip_address(name)) return true;
  if (name.empty() || name.size() > kNameBytesMax || name.front() == '.' || name.front() == '-') return false;
  const std::string_view labels = name.starts_with("*.") ? std::string_view(name).substr(2) : name;
  return !labels.empty() && labels.find("..") == std::string_view::npos &&
         std::all_of(labels.begin(), labels.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
         });
}

Result<PemPair> make_authority(const std::string& name, std::int64_t valid_s, KeyKind kind) {
  NJ_CHECK(check({.common_name = name}));
  const KeyPtr key = make_key(kind);
  const CertificatePtr certificate(X509_new());
  X509* const made = certificate.get();
  if (!key || !fill_in(made, key.get(), name)) return failed("the authority's certificate");
  set_times(made, -3600, valid_s);
  X509_set_issuer_name(made, X509_get_subject_name(made));
  const bool has_extensions =
      add_extension(made, made, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
      add_extension(made, made, NID_key_usage, "critical,keyCertSign,cRLSign") &&
      add_extension(made, made, NID_subject_key_identifier, "hash");
  if (!has_extensions || X509_sign(made, key.get(), EVP_sha256()) == 0) {
    return failed("the authority's certificate");
  }
  return pem_pair(made, key.get());
}

Result<PemPair> issue(const PemPair& authority, const CertificateRequest& request) {
  NJ_CHECK(check(request));
  NJ_TRY(const Authority issuer, parse(authority));
  const KeyPtr key = make_key(request.key_kind);
  const CertificatePtr certificate(X509_new());
  X509* const made = certificate.get();
  if (!key || !fill_in(made, key.get(), request.common_name)) return failed("a certificate");
  set_times(made, request.valid_from_s, request.valid_until_s);
  X509_set_issuer_name(made, X509_get_subject_name(issuer.certificate.get()));
  if (!add_issued_extensions(made, issuer.certificate.get(), request) ||
      X509_sign(made, issuer.key.get(), EVP_sha256()) == 0) {
    return failed("a certificate");
  }
  return pem_pair(made, key.get());
}

Result<std::string> make_crl(const PemPair& authority, const std::vector<std::string>& revoked,
                             std::int64_t valid_s) {
  NJ_TRY(const Authority issuer, parse(authority));
  const CrlPtr crl(X509_CRL_new());
  const std::time_t now = std::time(nullptr);
  const TimePtr from(ASN1_TIME_set(nullptr, now - 60));
  const TimePtr until(ASN1_TIME_set(nullptr, now + valid_s));
  X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuer.certificate.get()));
  X509_CRL_set1_lastUpdate(crl.get(), from.get());
  X509_CRL_set1_nextUpdate(crl.get(), until.get());
  for (const std::string& pem : revoked) {
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate || !add_revoked(crl.get(), certificate.get())) return failed("a revocation list");
  }
  X509_CRL_sort(crl.get());
  if (X509_CRL_sign(crl.get(), issuer.key.get(), EVP_sha256()) == 0) return failed("a revocation list");
  return pem_of([&](BIO* bio) { return PEM_write_bio_X509_CRL(bio, crl.get()); });
}

}  // namespace nightjar::net
