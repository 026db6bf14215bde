#include "cli/tls_explain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <optional>
#include <utility>

#include "cli/dial.h"
#include "net/tls_authority.h"
#include "net/tls_certificate.h"
#include "net/tls_client.h"
#include "net/tls_files.h"

namespace nightjar::cli {
namespace {

constexpr std::int64_t kDay = 24 * 3600;
constexpr int kRsaBitsMin = 2048;
constexpr std::int64_t kSoonDays = 30;
constexpr Duration kPatience = Duration::seconds(10);

using Objections = std::vector<std::string>;
using Chain = std::vector<net::CertificatePtr>;

std::string date_of(const ASN1_TIME* time) {
  const std::time_t seconds = net::seconds_of(time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
}

void look_at_dates(const X509* certificate, const std::string& which, Objections& found) {
  const std::int64_t now = std::time(nullptr);
  const std::int64_t until = net::seconds_of(X509_get0_notAfter(certificate));
  if (until < now) {
    found.push_back(
        fmt::format("{} expired on {}: renew it", which, date_of(X509_get0_notAfter(certificate))));
  } else if (until < now + kSoonDays * kDay) {
    found.push_back(fmt::format("{} expires in {} days: renew it soon", which, (until - now) / kDay));
  }
  if (net::seconds_of(X509_get0_notBefore(certificate)) > now) {
    found.push_back(fmt::format("{} is valid from {} on only; clients whose clock is behind refuse it longer",
                                which, date_of(X509_get0_notBefore(certificate))));
  }
}

void look_at_names(const X509* certificate, const std::string& name, Objections& found) {
  const net::AlternativeNames names = net::alternative_names(certificate);
  if (names.dns.empty() && names.ip.empty()) {
    found.emplace_back(
        "it has no names: clients do not look at the common name any more; make one with --name and --ip");
    return;
  }
  if (!name.empty()) {
    const bool is_there =
        net::is_ip_address(name)
            ? X509_check_ip_asc(const_cast<X509*>(certificate), name.c_str(), 0) == 1
            : X509_check_host(const_cast<X509*>(certificate), name.data(), name.size(), 0, nullptr) == 1;
    if (!is_there) {
      found.push_back(
          fmt::format("it is not for \"{}\", only for {}{}: a client that connects to \"{}\" refuses it",
                      name, fmt::join(names.dns, ", "),
                      names.ip.empty() ? "" : fmt::format(" {}", fmt::join(names.ip, ", ")), name));
    }
  } else if (names.ip.empty()) {
    found.emplace_back(
        "it has no IP address: controllers and others that connect by address refuse it; add --ip if there "
        "are such");
  }
}

void look_at_strength(const X509* certificate, const std::string& which, Objections& found) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  const int bits = key == nullptr ? 0 : EVP_PKEY_get_bits(key);
  if (key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && bits < kRsaBitsMin) {
    found.push_back(fmt::format(
        "the key of {} has {} bits only; clients want RSA with 2048 or more, or a curve", which, bits));
  }
  int digest = NID_undef;
  if (X509_get_signature_info(const_cast<X509*>(certificate), &digest, nullptr, nullptr, nullptr) == 1 &&
      (digest == NID_sha1 || digest == NID_md5)) {
    found.push_back(
        fmt::format("{} is signed with {}, which clients do not accept any more", which, OBJ_nid2sn(digest)));
  }
}

bool is_own_issuer(const X509* certificate) {
  return X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
}

void look_at_use(const X509* certificate, Objections& found) {
  X509* const asked = const_cast<X509*>(certificate);  // OpenSSL notes what it found out in it
  if (X509_check_ca(asked) == 1) {
    found.push_back(
        "it is the certificate of an authority, not of a server: serve one that the authority issued, and "
        "give "
        "this one to the clients");
  } else if (X509_check_purpose(asked, X509_PURPOSE_SSL_SERVER, 0) != 1) {
    found.emplace_back("it is not meant for servers (its extended key usage does not say serverAuth)");
  }
}

void look_at_chain(const Chain& chain, Objections& found) {
  for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
    if (X509_check_issued(chain[i + 1].get(), chain[i].get()) == X509_V_OK) continue;
    found.push_back(
        fmt::format("certificate {} was not issued by the one behind it ({}): the order must be server, then "
                    "each authority "
                    "behind what it issued",
                    i + 1, net::text_of(X509_get_subject_name(chain[i + 1].get()))));
  }
}

void look_at_trust(const Chain& chain, const Chain& authorities, Objections& found) {
  if (authorities.empty()) return;
  X509_STORE* const store = X509_STORE_new();
  for (const auto& authority : authorities) X509_STORE_add_cert(store, authority.get());
  STACK_OF(X509)* const between = sk_X509_new_null();
  for (std::size_t i = 1; i < chain.size(); ++i) sk_X509_push(between, chain[i].get());
  X509_STORE_CTX* const check = X509_STORE_CTX_new();
  X509_STORE_CTX_init(check, store, chain.front().get(), between);
  X509_STORE_CTX_set_flags(check, X509_V_FLAG_NO_CHECK_TIME);  // said already
  if (X509_verify_cert(check) != 1) {
    found.push_back(
        fmt::format("a client that knows this authority does not trust it: {}; its issuer is \"{}\". Give "
                    "clients that authority, "
                    "or put what lies between behind the server's certificate",
                    X509_verify_cert_error_string(X509_STORE_CTX_get_error(check)),
                    net::text_of(X509_get_issuer_name(chain.back().get()))));
  }
  X509_STORE_CTX_free(check);
  sk_X509_free(between);
  X509_STORE_free(store);
}

std::string key_text(const X509* certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (key == nullptr) return "a key that is not understood";
  const bool is_rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
  return fmt::format("{} with {} bits", is_rsa ? "RSA" : "elliptic curve", EVP_PKEY_get_bits(key));
}

void print_facts(const Chain& chain) {
  const X509* const certificate = chain.front().get();
  net::AlternativeNames names = net::alternative_names(certificate);
  names.dns.insert(names.dns.end(), names.ip.begin(), names.ip.end());
  fmt::print("certificate  {}\nissued by    {}\nnames        {}\nvalid        {} to {}\nkey          {}\n",
             net::text_of(X509_get_subject_name(certificate)),
             net::text_of(X509_get_issuer_name(certificate)),
             names.dns.empty() ? "none" : fmt::format("{}", fmt::join(names.dns, ", ")),
             date_of(X509_get0_notBefore(certificate)), date_of(X509_get0_notAfter(certificate)),
             key_text(certificate));
  fmt::print("serial       {}\nchain        {}\n", net::text_of(X509_get0_serialNumber(certificate)),
             chain.size() == 1 ? "nothing behind it: clients must know its issuer"
                               : fmt::format("{} certificates behind it", chain.size() - 1));
}

struct Place {
  std::string host;
  std::uint16_t port = 0;
};

// "host:port", "[::1]:8883"; nothing if it is a file's name.
std::optional<Place> place_of(const std::string& what) {
  if (std::filesystem::exists(what)) return std::nullopt;
  const std::size_t colon = what.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == what.size()) return std::nullopt;
  const std::string digits = what.substr(colon + 1);
  if (digits.size() > 5 || digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  const int port = std::stoi(digits);
  if (port < 1 || port > 65535) return std::nullopt;
  std::string host = what.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return Place{std::move(host), static_cast<std::uint16_t>(port)};
}

Result<Chain> ask_broker(const Place& place) {
  auto socket = dial(place.host, place.port, kPatience);
  if (!socket) return fail(socket.error().message);
  NJ_TRY(const auto client,
         net::TlsClient::connect(socket->get(), {.host = place.host, .checks_server = false}, kPatience));
  fmt::print("broker       {} speaks {}\n", address_text(place.host, place.port), client->version());
  return client->server_chain();
}

Result<void> look_at_key(const ExplainOptions& options, const X509* certificate, Objections& found) {
  if (options.key.empty()) return {};
  NJ_TRY(const net::KeyPtr key, net::read_private_key(options.key));
  if (X509_check_private_key(certificate, key.get()) != 1) {
    ERR_clear_error();
    found.push_back(
        fmt::format("the key in {} does not belong to it: a server cannot use them together", options.key));
  }
  return {};
}

}  // namespace

std::vector<std::string> objections_to(const Chain& chain, const std::string& name,
                                       const Chain& authorities) {
  Objections found;
  const X509* const certificate = chain.front().get();
  look_at_dates(certificate, "it", found);
  look_at_names(certificate, name, found);
  look_at_use(certificate, found);
  look_at_strength(certificate, "it", found);
  for (std::size_t i = 1; i < chain.size(); ++i) {
    const std::string which = fmt::format("certificate {} of the chain", i + 1);
    look_at_dates(chain[i].get(), which, found);
    look_at_strength(chain[i].get(), which, found);
  }
  look_at_chain(chain, found);
  look_at_trust(chain, authorities, found);
  if (authorities.empty() && chain.size() == 1 && is_own_issuer(certificate)) {
    found.emplace_back("it vouches for itself: clients trust it only if they are given this very file");
  }
  return found;
}

Result<int> explain_certificate(const ExplainOptions& options) {
  const std::optional<Place> place = place_of(options.what);
  Chain chain;
  if (place) {
    NJ_TRY(chain, ask_broker(*place));
  } else {
    NJ_TRY(chain, net::read_certificates(options.what));
  }
  if (chain.empty())
    return fail(fmt::format("{} shows no certificate: it works with pre-shared keys", options.what));
  Chain authorities;
  if (!options.authorities.empty()) {
    NJ_TRY(authorities, net::read_certificates(options.authorities));
  }
  print_facts(chain);
  const std::string name = !options.name.empty() ? options.name : place ? place->host : "";
  Objections found = objections_to(chain, name, authorities);
  NJ_CHECK(look_at_key(options, chain.front().get(), found));
  for (const std::string& objection : found) fmt::print("PROBLEM      {}\n", objection);
  if (found.empty()) {
    fmt::print("clients have nothing to object to{}\n",
               options.authorities.empty() ? ", if they know the issuer (--cafile FILE checks that)" : "");
  }
  return found.empty() ? 0 : 1;
}

}  // namespace nightjar::cli
