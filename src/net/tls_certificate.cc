#include "net/tls_certificate.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <string_view>

namespace nightjar::net {
namespace {

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
struct FreeNumber {
  void operator()(BIGNUM* number) const { BN_free(number); }
};
struct FreeText {
  void operator()(char* text) const { OPENSSL_free(text); }
};

std::string_view view_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

// A name with a NUL in it reads differently in different programs, so it is none.
void add_name(std::vector<std::string>& names, const ASN1_STRING* text) {
  const std::string_view name = view_of(text);
  if (name.find('\0') == std::string_view::npos) names.emplace_back(name);
}

std::string ip_text(std::string_view bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (bytes.size() != 4 && bytes.size() != 16) return {};
  return ::inet_ntop(family, bytes.data(), text.data(), text.size()) != nullptr ? text.data() : "";
}

}  // namespace

std::string text_of(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string common_name(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return {};
  const std::unique_ptr<char, FreeText> owner(reinterpret_cast<char*>(utf8));
  const std::string_view name(owner.get(), static_cast<std::size_t>(size));
  return name.find('\0') == std::string_view::npos ? std::string(name) : std::string();
}

std::string text_of(const ASN1_INTEGER* serial) {
  const std::unique_ptr<BIGNUM, FreeNumber> number(ASN1_INTEGER_to_BN(serial, nullptr));
  if (!number) return {};
  const std::unique_ptr<char, FreeText> digits(BN_bn2hex(number.get()));
  return digits ? std::string(digits.get()) : std::string();
}

std::string fingerprint(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm utc{};
  if (ASN1_TIME_to_tm(time, &utc) != 1) return 0;
  return ::timegm(&utc);
}

AlternativeNames alternative_names(const X509* certificate) {
  AlternativeNames found;
  const std::unique_ptr<GENERAL_NAMES, FreeNames> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) add_name(found.dns, name->d.dNSName);
    if (name->type == GEN_EMAIL) add_name(found.email, name->d.rfc822Name);
    if (name->type == GEN_IPADD) found.ip.push_back(ip_text(view_of(name->d.iPAddress)));
  }
  return found;
}

broker::CertificateNumber number_of(const X509* certificate) {
  return {.issuer = text_of(X509_get_issuer_name(certificate)),
          .serial = text_of(X509_get0_serialNumber(certificate))};
}

std::unique_ptr<broker::PeerProof> proof_of(const X509* certificate) {
  auto proof = std::make_unique<broker::PeerProof>();
  AlternativeNames names = alternative_names(certificate);
  proof->has_certificate = true;
  proof->common_name = common_name(certificate);
  proof->subject = text_of(X509_get_subject_name(certificate));
  proof->dns_names = std::move(names.dns);
  proof->email_names = std::move(names.email);
  proof->fingerprint = fingerprint(certificate);
  proof->number = number_of(certificate);
  proof->valid_until_s = seconds_of(X509_get0_notAfter(certificate));
  return proof;
}

}  // namespace nightjar::net
