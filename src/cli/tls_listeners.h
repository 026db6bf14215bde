// The TLS of all listeners of one configuration: opened with it, read again when its files change. Reads
// files, so it is not for workers; used by one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/certificate_days.h"
#include "cli/file_stamps.h"
#include "config/config.h"
#include "net/tls_context.h"

namespace nightjar::cli {

// What the network side needs to know of a listener's [listener.tls].
net::TlsSettings tls_settings(const config::ListenerConfig& listener);

// A certificate that is served now.
struct ServedCertificate {
  std::string listener;
  net::TlsCertificateFacts facts;
  std::int64_t days_left = 0;  // negative: expired
};

class TlsListeners {
 public:
  // Fails with the place in the configuration, what is wrong with the file and the fix. What `before` serves
  // in the same way is served on: its clients can resume their sessions.
  static Result<std::unique_ptr<TlsListeners>> open(const config::Config& config, net::StrangerBudget budget,
                                                    const TlsListeners* before = nullptr);

  // Empty for a listener without TLS.
  using MakeFilter = std::function<std::unique_ptr<net::StreamFilter>(const net::PeerAddress& peer)>;
  [[nodiscard]] MakeFilter filter_of(const config::ListenerConfig& listener) const;
  [[nodiscard]] bool empty() const { return listeners_.empty(); }

  // To be called several times a second: serves what changed files say, once they fit together. True if
  // something is served that was not.
  bool look_at_files();
  // To be called now and then, with the seconds since 1970: says once for each certificate that it ends in
  // 30, 7 or 1 days.
  void warn_about_expiry(std::int64_t now_s);

  [[nodiscard]] std::vector<ServedCertificate> certificates(std::int64_t now_s) const;
  // By the listener's name.
  using Snapshots = std::map<std::string, std::shared_ptr<const net::TlsSnapshot>, std::less<>>;
  [[nodiscard]] Snapshots snapshots() const;

 private:
  struct Watched {
    std::string name;
    std::shared_ptr<net::TlsContext> context;
    FileStamps served;     // of what is served
    FileStamps failed{};   // of what could not be
    bool is_told = false;  // the log has the reason
  };

  TlsListeners() = default;
  [[nodiscard]] const Watched* same_as(const net::TlsSettings& settings, const FileStamps& stamps,
                                       const net::StrangerBudget& budget) const;
  bool look_at(Watched& watched);

  std::vector<Watched> listeners_;
  ExpiryNotices notices_;
};

// "listener.plain.tls: " with its place; for messages about one of its files.
std::string explain(const config::Config& config, const config::ListenerConfig& listener,
                    const net::TlsError& error);

}  // namespace nightjar::cli
