#include "net/tls_files.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

namespace nightjar::net {
namespace {

// The key of a TLS suite is no longer than that in any implementation.
constexpr std::size_t kPskBytesMax = 256;
constexpr std::size_t kPskIdentityBytesMax = 128;

// What a PEM file is asked for.
struct Wanted {
  std::string_view what;       // "certificate"
  std::string_view label;      // of the line "-----BEGIN LABEL-----", or its last word
  std::string_view converter;  // the command of openssl that makes PEM of DER
};
constexpr Wanted kCertificate{"certificate", "CERTIFICATE", "x509"};
constexpr Wanted kKey{"private key", "PRIVATE KEY", "pkey"};
constexpr Wanted kCrl{"revocation list", "X509 CRL", "crl"};
constexpr Wanted kDh{"set of DH parameters", "PARAMETERS", "dhparam"};

Result<std::string> read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  std::ostringstream text;
  const bool is_empty = in.peek() == std::ifstream::traits_type::eof() && !in.bad();
  if (!is_empty && !(text << in.rdbuf())) return fail(fmt::format("cannot read {}: it is no file", path));
  return text.str();
}

BioPtr reader_of(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The label of the first PEM block, or nothing.
std::optional<std::string> first_label(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  const std::size_t at = text.find(kBegin);
  if (at == std::string_view::npos) return std::nullopt;
  const std::size_t end = text.find("-----", at + kBegin.size());
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(text.substr(at + kBegin.size(), end - at - kBegin.size()));
}

std::string what_is_wrong(const std::string& path, const std::string& text, const Wanted& wanted) {
  const std::string reason = openssl_reason();
  if (text.empty()) return fmt::format("{} is empty; it must hold a {} in PEM form", path, wanted.what);
  const auto label = first_label(text);
  if (!label && text.front() == '\x30') {
    return fmt::format("{0} is in DER form; make PEM of it: openssl {1} -inform der -in {0} -out {0}.pem",
                       path, wanted.converter);
  }
  if (!label) {
    return fmt::format("{} is no PEM file: it has no line \"-----BEGIN {}-----\"", path, wanted.label);
  }
  const std::size_t end = label->size() >= wanted.label.size() ? label->size() - wanted.label.size() : 0;
  if (label->find(wanted.label, end) == std::string::npos) {
    return fmt::format("{} holds a {} and no {}; name the right file{}", path, *label, wanted.what,
                       label->ends_with("PRIVATE KEY") || wanted.what == kKey.what
                           ? " (are certificate and key swapped?)"
                           : "");
  }
  return fmt::format("the {} in {} is damaged: {}; copy or make it again", wanted.what, path, reason);
}

// Everything that `read_one` finds, one after another.
template <typename Pointer, typename ReadOne>
Result<std::vector<Pointer>> read_all(const std::string& path, const Wanted& wanted, ReadOne read_one) {
  NJ_TRY(const std::string text, read_text(path));
  const BioPtr bio = reader_of(text);
  std::vector<Pointer> found;
  ERR_clear_error();
  while (auto* one = read_one(bio.get())) found.emplace_back(one);
  const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (found.empty() || !is_at_end) return fail(what_is_wrong(path, text, wanted));
  ERR_clear_error();
  return found;
}

// Nobody is there to ask for a pass phrase.
int no_pass_phrase(char* /*buffer*/, int /*size*/, int /*is_writing*/, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

// Twice as many digits as bytes; nothing if it is not hexadecimal.
std::optional<std::string> from_hex(std::string_view digits) {
  const auto value = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  if (digits.empty() || digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = value(digits[i]);
    const int low = value(digits[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::string_view without_end_of_line(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) {
    line.remove_suffix(1);
  }
  return line;
}

// What is wrong with one line of a PSK file, or nothing.
std::string_view add_psk(PskTable& table, std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return "write \"identity:hexadecimal key\"";
  if (colon > kPskIdentityBytesMax) return "an identity has at most 128 characters";
  auto key = from_hex(line.substr(colon + 1));
  if (!key) return "the key behind the colon must be pairs of hexadecimal digits";
  if (key->size() > kPskBytesMax) return "a key has at most 256 bytes, that is 512 digits";
  const bool is_new = table.emplace(line.substr(0, colon), std::move(*key)).second;
  return is_new ? "" : "this identity has a key already";
}

}  // namespace

std::string openssl_reason() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : "it cannot be read";
}

Result<std::vector<CertificatePtr>> read_certificates(const std::string& path) {
  return read_all<CertificatePtr>(path, kCertificate,
                                  [](BIO* bio) { return PEM_read_bio_X509(bio, nullptr, nullptr, nullptr); });
}

Result<std::vector<CrlPtr>> read_crls(const std::string& path) {
  return read_all<CrlPtr>(path, kCrl,
                          [](BIO* bio) { return PEM_read_bio_X509_CRL(bio, nullptr, nullptr, nullptr); });
}

Result<KeyPtr> read_private_key(const std::string& path) {
  NJ_TRY(const std::string text, read_text(path));
  const BioPtr bio = reader_of(text);
  bool is_encrypted = false;
  ERR_clear_error();
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, &is_encrypted));
  if (key) return key;
  ERR_clear_error();
  if (is_encrypted) {
    return fail(
        fmt::format("the key in {0} is encrypted with a pass phrase, and the broker cannot ask for one; "
                    "take it off: openssl pkey -in {0} -out {0}.plain && chmod 600 {0}.plain",
                    path));
  }
  return fail(what_is_wrong(path, text, kKey));
}

Result<KeyPtr> read_dh_params(const std::string& path) {
  NJ_TRY(const std::string text, read_text(path));
  const BioPtr bio = reader_of(text);
  ERR_clear_error();
  KeyPtr params(PEM_read_bio_Parameters(bio.get(), nullptr));
  if (params) return params;
  return fail(what_is_wrong(path, text, kDh));
}

Result<PskTable> parse_psk_table(std::string_view text, const std::string& path) {
  PskTable table;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = without_end_of_line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (const std::string_view problem = add_psk(table, line); !problem.empty()) {
      return fail(fmt::format("{}:{}: {}", path, number, problem));
    }
  }
  return table;
}

Result<PskTable> read_psk_file(const std::string& path) {
  NJ_TRY(const std::string text, read_text(path));
  return parse_psk_table(text, path);
}

}  // namespace nightjar::net
