#include "cli/sub.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "cli/client.h"
#include "cli/client_command.h"
#include "cli/client_options.h"

namespace nightjar::cli {
namespace {

// Printed text is gathered up to this and written with one call.
constexpr std::size_t kPrintBytes = 64 * 1024;

constexpr std::string_view kName = "nightjar sub";

void tell(const std::string& text) { notice(kName, text); }

// One run of the command.
class Subscriber {
 public:
  explicit Subscriber(SubSettings settings)
      : settings_(std::move(settings)),
        client_(settings_.connection, tell),
        deadline_(settings_.connection.timeout ? now() + *settings_.connection.timeout : kNever) {}

  Outcome<bool> run() {
    NJ_CHECK(connect());
    while (!has_all_) {
      NJ_CHECK(drain_events());
      // Print before wait() sends the acknowledgements: what the broker forgets has been seen.
      NJ_CHECK(print());
      if (has_all_) break;
      const Outcome<Wake> wake = client_.wait(deadline_);
      if (!wake) {
        NJ_CHECK(connect_again(wake.error()));
      } else if (*wake == Wake::kStopSignal) {
        break;
      } else if (*wake == Wake::kDeadline) {
        return timed_out();
      }
    }
    client_.disconnect();
    return true;
  }

 private:
  Outcome<bool> connect() {
    NJ_TRY(const Connected connected, client_.connect(deadline_));
    // A session that was kept has its subscriptions; the first connection states them in any case.
    if (!connected.session_present || !is_subscribed_) client_.protocol().subscribe(settings_.subscribe);
    return true;
  }

  Outcome<bool> connect_again(const Failure& failure) {
    if (!settings_.connection.reconnect || !failure.may_retry) return tl::make_unexpected(failure);
    tell(failure.message);
    return connect();
  }

  Outcome<bool> drain_events() {
    for (Event event; !has_all_ && client_.protocol().next_event(event);) NJ_CHECK(handle(event));
    return true;
  }

  Outcome<bool> handle(const Event& event) {
    if (const auto* message = std::get_if<ReceivedMessage>(&event)) return on_message(*message);
    if (const auto* subscribed = std::get_if<Subscribed>(&event)) return on_subscribed(*subscribed);
    if (const auto* ended = std::get_if<Ended>(&event)) {
      NJ_CHECK(print());
      return connect_again({ExitCode::kConnectionLost, ended->why, ended->may_retry});
    }
    return true;
  }

  Outcome<bool> on_subscribed(const Subscribed& subscribed) {
    const std::vector<std::string>& filters = settings_.subscribe.filters;
    std::size_t refused = 0;
    for (std::size_t i = 0; i < std::min(subscribed.codes.size(), filters.size()); ++i) {
      if (static_cast<std::uint8_t>(subscribed.codes[i]) < 0x80) continue;
      ++refused;
      tell(fmt::format("the broker refused the subscription to {}: {}", filters[i],
                       describe(subscribed.codes[i], subscribed.why)));
    }
    if (refused == filters.size()) {
      client_.disconnect();
      return stop(ExitCode::kRefused, "no subscription is left");
    }
    is_subscribed_ = true;
    if (isatty(STDERR_FILENO) == 1) tell("subscribed; waiting for messages (Ctrl-C ends)");
    return true;
  }

  Outcome<bool> on_message(const ReceivedMessage& message) {
    if ((settings_.retained_only && !message.retain) || (settings_.no_retained && message.retain))
      return true;
    settings_.format.render(message, wall_ms(), text_);
    if (settings_.ends_with_newline) text_ += '\n';
    ++printed_;
    if (printed_ == settings_.count) has_all_ = true;
    if (text_.size() >= kPrintBytes) return print();
    return true;
  }

  // A reader that has seen enough, as in `nightjar sub … | head -1`, ends the command.
  Outcome<bool> print() {
    std::string_view rest = text_;
    while (!rest.empty()) {
      const ssize_t written = write(STDOUT_FILENO, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0 && errno == EPIPE) {
        has_all_ = true;
        break;
      }
      if (written < 0) {
        return stop(ExitCode::kUsage,
                    fmt::format("cannot write to the standard output: {}", std::strerror(errno)));
      }
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    text_.clear();
    return true;
  }

  Outcome<bool> timed_out() {
    client_.disconnect();
    if (settings_.count == 0 && printed_ > 0) return true;
    if (settings_.count == 0) return stop(ExitCode::kTimedOut, "no message came in time");
    return stop(ExitCode::kTimedOut,
                fmt::format("{} of {} messages came in time", printed_, settings_.count));
  }

  SubSettings settings_;
  Client client_;
  MonoTime deadline_;
  std::string text_;  // to be printed
  std::uint64_t printed_ = 0;
  bool is_subscribed_ = false;
  bool has_all_ = false;
};

}  // namespace

int run_sub(int argc, char** argv) {
  return run_command(kName, parse_sub(argc, argv),
                     [](SubSettings settings) { return Subscriber{std::move(settings)}.run(); });
}

}  // namespace nightjar::cli
