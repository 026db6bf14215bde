// The TLS of one listener, shared by all workers: what is served now, and how it is replaced while
// connections run. New handshakes take the snapshot that is current when their ClientHello is there; older
// connections keep what they began with. open() and reload() read files and are for threads that may wait;
// the rest is for any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/address.h"
#include "net/log_throttle.h"
#include "net/stranger_share.h"
#include "net/stream_filter.h"
#include "net/tls_settings.h"
#include "net/tls_snapshot.h"

namespace nightjar::net {

class TlsContext {
 public:
  // The budget counts what handshakes under way hold.
  static Result<std::shared_ptr<TlsContext>, TlsError> open(TlsSettings settings, StrangerBudget budget = {});

  // Reads the files again. On failure what is served stays as it was.
  Result<void, TlsError> reload();

  [[nodiscard]] std::shared_ptr<const TlsSnapshot> current() const;
  [[nodiscard]] const TlsSettings& settings() const { return settings_; }
  [[nodiscard]] const StrangerBudget& budget() const { return budget_; }

  // One line about a stranger who did not get in: what happened and what to do about it.
  void log_refused(const std::string& peer, std::string_view what);

 private:
  TlsContext(TlsSettings settings, StrangerBudget budget);

  const TlsSettings settings_;
  const StrangerBudget budget_;
  LogThrottle throttle_;
  mutable std::mutex mutex_;
  std::shared_ptr<const TlsSnapshot> current_;  // under mutex_
};

// A server's end of TLS for a connection from `peer`.
std::unique_ptr<StreamFilter> make_tls_filter(std::shared_ptr<TlsContext> context, const PeerAddress& peer);

}  // namespace nightjar::net
