#include "cli/tls_plant.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <utility>

#include "net/fd.h"
#include "net/tls_certificate.h"
#include "net/tls_files.h"

namespace nightjar::cli {
namespace {

constexpr std::int64_t kDay = 24 * 3600;
constexpr std::int64_t kAuthorityTime = 3650 * kDay;
// Clients of today refuse a server's certificate that is valid for longer.
constexpr std::int64_t kServerTime = 397 * kDay;
constexpr std::int64_t kClientTime = 825 * kDay;
// A list that is out of date keeps everybody out, and a small plant has nobody who would renew it.
constexpr std::int64_t kCrlTime = kAuthorityTime;
// Clocks are seldom right to the second.
constexpr std::int64_t kValidFrom = -3600;
constexpr mode_t kForAll = 0644;
constexpr mode_t kForOwner = 0600;
constexpr std::string_view kClientPrefix = "client-";
constexpr std::string_view kRevokedPrefix = "revoked-";

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Whole or not at all: a broker may be reading it.
Result<void> write_file(const std::filesystem::path& path, std::string_view text, mode_t mode) {
  const std::string part = path.string() + ".new";
  const auto failed = [&] {
    return fail(fmt::format("cannot write {}: {}", path.string(), std::strerror(errno)));
  };
  ::unlink(part.c_str());
  const net::Fd file{::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)};
  if (!file) return failed();
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t written = ::write(file.get(), rest.data(), rest.size());
    if (written < 0) return failed();
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.get()) != 0 || ::rename(part.c_str(), path.c_str()) != 0) return failed();
  return {};
}

// It becomes a part of a file's name, and a user name.
bool is_client_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && name.front() != '.' && name.find('/') == std::string::npos &&
         std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

// Names of files with this prefix and ".pem", without both.
std::vector<std::string> names_with(const std::filesystem::path& directory, std::string_view prefix) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(prefix) || !name.ends_with(".pem")) continue;
    names.push_back(name.substr(prefix.size(), name.size() - prefix.size() - 4));
  }
  std::sort(names.begin(), names.end());
  return names;
}

net::KeyKind kind_of(const X509* certificate) {
  return EVP_PKEY_get_base_id(X509_get0_pubkey(certificate)) == EVP_PKEY_RSA ? net::KeyKind::kRsa2048
                                                                             : net::KeyKind::kEcP256;
}

}  // namespace

Result<TlsPlant> TlsPlant::make(const std::filesystem::path& directory, const Names& names) {
  for (const std::string& client : names.clients) {
    if (!is_client_name(client)) return fail(fmt::format("\"{}\" cannot be a client's name", client));
  }
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return fail(fmt::format("cannot make {}: {}", directory.string(), error.message()));
  if (std::filesystem::exists(directory / "ca.pem") || std::filesystem::exists(directory / "ca.key")) {
    return fail(
        fmt::format("{0} has an authority already; \"nightjar tls renew {0}\" makes new certificates of it, "
                    "\"nightjar tls add {0} --client NAME\" one for a further client",
                    directory.string()));
  }
  NJ_TRY(net::PemPair authority, net::make_authority(fmt::format("{} authority", names.server.front()),
                                                     kAuthorityTime, names.key_kind));
  NJ_CHECK(write_file(directory / "ca.key", authority.key, kForOwner));
  NJ_CHECK(write_file(directory / "ca.pem", authority.certificate, kForAll));
  TlsPlant plant(directory, std::move(authority));
  NJ_CHECK(plant.issue("server", {.common_name = names.server.front(),
                                  .names = names.server,
                                  .is_server = true,
                                  .valid_until_s = kServerTime,
                                  .key_kind = names.key_kind}));
  NJ_CHECK(plant.write_crl());
  for (const std::string& client : names.clients) NJ_CHECK(plant.add_client(client));
  return plant;
}

Result<TlsPlant> TlsPlant::open(const std::filesystem::path& directory) {
  NJ_CHECK(net::read_certificates((directory / "ca.pem").string()));
  NJ_CHECK(net::read_private_key((directory / "ca.key").string()));
  return TlsPlant(directory, {read_text(directory / "ca.pem"), read_text(directory / "ca.key")});
}

Result<void> TlsPlant::issue(const std::string& file, const net::CertificateRequest& request) const {
  net::CertificateRequest dated = request;
  dated.valid_from_s = kValidFrom;
  NJ_TRY(const net::PemPair made, net::issue(authority_, dated));
  NJ_CHECK(write_file(directory_ / (file + ".key"), made.key, kForOwner));
  return write_file(directory_ / (file + ".pem"), made.certificate, kForAll);
}

Result<void> TlsPlant::add_client(const std::string& name) {
  if (!is_client_name(name)) return fail(fmt::format("\"{}\" cannot be a client's name", name));
  const std::string file = std::string(kClientPrefix) + name;
  if (std::filesystem::exists(path(file + ".pem"))) {
    return fail(fmt::format("{} is there already; \"nightjar tls renew\" makes a new one",
                            path(file + ".pem").string()));
  }
  NJ_TRY(const auto authority, net::read_certificates(path("ca.pem").string()));
  return issue(
      file,
      {.common_name = name, .valid_until_s = kClientTime, .key_kind = kind_of(authority.front().get())});
}

std::vector<std::string> TlsPlant::clients() const { return names_with(directory_, kClientPrefix); }

// ---- renewal ----

Result<std::vector<std::string>> TlsPlant::renew(std::int64_t within_days) {
  std::vector<std::string> files{"server"};
  for (const std::string& client : clients()) files.push_back(std::string(kClientPrefix) + client);
  std::vector<std::string> renewed;
  for (const std::string& file : files) {
    NJ_TRY(const bool is_new, renew_one(file, within_days));
    if (is_new) renewed.push_back(path(file + ".pem").string());
  }
  return renewed;
}

Result<bool> TlsPlant::renew_one(const std::string& file, std::int64_t within_days) const {
  NJ_TRY(const auto chain, net::read_certificates(path(file + ".pem").string()));
  const X509* const old = chain.front().get();
  if (net::seconds_of(X509_get0_notAfter(old)) > std::time(nullptr) + within_days * kDay) return false;
  net::AlternativeNames names = net::alternative_names(old);
  std::move(names.ip.begin(), names.ip.end(), std::back_inserter(names.dns));
  const bool is_server = file == "server";
  NJ_CHECK(issue(file, {.common_name = net::common_name(old),
                        .names = std::move(names.dns),
                        .is_server = is_server,
                        .valid_until_s = is_server ? kServerTime : kClientTime,
                        .key_kind = kind_of(old)}));
  return true;
}

// ---- revocation ----

Result<void> TlsPlant::revoke(const std::string& client) {
  const std::string file = std::string(kClientPrefix) + client;
  NJ_TRY(const auto chain, net::read_certificates(path(file + ".pem").string()));
  const std::string serial = net::text_of(X509_get0_serialNumber(chain.front().get()));
  // The list is made of what was ever revoked, so the certificate is kept and only the key goes.
  std::error_code error;
  std::filesystem::rename(path(file + ".pem"), path(fmt::format("{}{}.pem", kRevokedPrefix, serial)), error);
  if (error) return fail(fmt::format("cannot rename {}: {}", path(file + ".pem").string(), error.message()));
  std::filesystem::remove(path(file + ".key"), error);
  return write_crl();
}

Result<void> TlsPlant::write_crl() const {
  std::vector<std::string> revoked;
  for (const std::string& serial : names_with(directory_, kRevokedPrefix)) {
    revoked.push_back(read_text(path(fmt::format("{}{}.pem", kRevokedPrefix, serial))));
  }
  NJ_TRY(const std::string list, net::make_crl(authority_, revoked, kCrlTime));
  return write_file(path("crl.pem"), list, kForAll);
}

}  // namespace nightjar::cli
