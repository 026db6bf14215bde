#include "cli/tls_options.h"

#include "cli/option_checks.h"

namespace nightjar::cli {

Outcome<std::optional<net::TlsClientSettings>> check_tls(const TlsOptions& options, std::string_view url) {
  net::TlsClientSettings client = options.client;
  if (client.certificate.empty() != client.key.empty()) {
    return usage("a certificate and its key go together: give both --cert and --key");
  }
  const bool is_wanted = options.is_wanted || options.is_insecure || !client.authorities.empty() ||
                         !client.certificate.empty() || url.starts_with("mqtts://") ||
                         url.starts_with("wss://");
  if (!is_wanted) return std::optional<net::TlsClientSettings>{};
  client.checks_server = !options.is_insecure;
  return client;
}

}  // namespace nightjar::cli
