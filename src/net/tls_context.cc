#include "net/tls_context.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "net/tls_filter.h"

namespace nightjar::net {

TlsContext::TlsContext(TlsSettings settings, StrangerBudget budget)
    : settings_(std::move(settings)), budget_(budget) {}

Result<std::shared_ptr<TlsContext>, TlsError> TlsContext::open(TlsSettings settings, StrangerBudget budget) {
  std::shared_ptr<TlsContext> context(new TlsContext(std::move(settings), budget));
  NJ_CHECK(context->reload());
  return context;
}

Result<void, TlsError> TlsContext::reload() {
  NJ_TRY(std::shared_ptr<const TlsSnapshot> made, TlsSnapshot::open(settings_));
  const std::lock_guard lock(mutex_);
  current_.swap(made);
  return {};
}

std::shared_ptr<const TlsSnapshot> TlsContext::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void TlsContext::log_refused(const std::string& peer, std::string_view what) {
  std::uint64_t left_out = 0;
  if (!log::enabled(log::Level::kWarn) || !throttle_.admits(left_out)) return;
  const std::string others = left_out == 0 ? "" : fmt::format(" ({} more like this before)", left_out);
  log::warn(fmt::format("TLS: {}{}", what, others), {{"listener", settings_.listener}, {"peer", peer}});
}

std::unique_ptr<StreamFilter> make_tls_filter(std::shared_ptr<TlsContext> context, const PeerAddress& peer) {
  return std::make_unique<TlsFilter>(std::move(context), peer);
}

}  // namespace nightjar::net
