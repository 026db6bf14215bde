#include "cli/pub.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "cli/client.h"
#include "cli/client_command.h"
#include "cli/client_options.h"

namespace nightjar::cli {
namespace {

// How much is handed to the client ahead of the broker's acknowledgements: enough to fill its window.
constexpr std::size_t kAheadMessagesMax = 1024;
constexpr std::size_t kAheadBytesMax = 8 * 1024 * 1024;
// A line longer than this is no message of a sensor; it would otherwise grow without an end.
constexpr std::size_t kLineBytesMax = 64 * 1024 * 1024;

constexpr std::string_view kName = "nightjar pub";

void tell(const std::string& text) { notice(kName, text); }

// Lines of the standard input as they come, without waiting for them.
class LineReader {
 public:
  // Reads once; call it when the input is readable.
  Outcome<bool> read_some() {
    std::array<char, 65'536> chunk;
    const ssize_t got = read(STDIN_FILENO, chunk.data(), chunk.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (got < 0) {
      return stop(ExitCode::kUsage, fmt::format("cannot read the standard input: {}", std::strerror(errno)));
    }
    if (got == 0) is_at_end_ = true;
    text_.erase(0, std::exchange(taken_, 0));
    text_.append(chunk.data(), static_cast<std::size_t>(got));
    if (text_.size() > kLineBytesMax)
      return stop(ExitCode::kUsage, "a line of the standard input exceeds 64 MiB");
    return true;
  }
  // False if no whole line is there; the last one needs no newline.
  bool next(std::string& line) {
    const std::size_t end = text_.find('\n', taken_);
    if (end == std::string::npos && (!is_at_end_ || taken_ == text_.size())) return false;
    line = text_.substr(taken_, end - taken_);
    taken_ = end == std::string::npos ? text_.size() : end + 1;
    return true;
  }
  [[nodiscard]] bool is_at_end() const { return is_at_end_; }
  [[nodiscard]] bool is_empty() const { return taken_ == text_.size(); }

 private:
  std::string text_;
  std::size_t taken_ = 0;
  bool is_at_end_ = false;
};

// One run of the command.
class Publisher {
 public:
  explicit Publisher(PubSettings settings)
      : settings_(std::move(settings)),
        client_(settings_.connection, tell),
        deadline_(settings_.connection.timeout ? now() + *settings_.connection.timeout : kNever) {}

  Outcome<bool> run() {
    NJ_CHECK(connect());
    while (!is_done()) {
      NJ_CHECK(drain_events());
      NJ_CHECK(feed());
      if (is_done()) break;
      const bool wants_input = wants_lines();
      const Outcome<Wake> wake =
          client_.wait(std::min(deadline_, next_due()), wants_input ? STDIN_FILENO : -1);
      if (!wake) {
        NJ_CHECK(connect_again(wake.error()));
      } else if (*wake == Wake::kInput) {
        NJ_CHECK(lines_.read_some());
      } else if (*wake == Wake::kStopSignal) {
        client_.end_by_signal();
      } else if (now() >= deadline_) {
        return timed_out();
      }
    }
    client_.disconnect();
    if (refused_ == 0) return true;
    if (given_ == 1) return stop(ExitCode::kRefused, "the message was refused: " + last_refusal_);
    return stop(ExitCode::kRefused, fmt::format("{} of {} messages were refused", refused_, given_));
  }

 private:
  Outcome<bool> connect() {
    NJ_TRY(const Connected connected, client_.connect(deadline_));
    if (!settings_.is_request || connected.session_present) return true;
    is_ready_ = false;
    SubscribeSettings answer;
    answer.filters.push_back(*settings_.message.properties.response_topic);
    answer.qos = std::max(settings_.message.qos, mqtt::Qos::kAtLeastOnce);
    client_.protocol().subscribe(answer);
    return true;
  }

  Outcome<bool> connect_again(const Failure& failure) {
    if (!settings_.connection.reconnect || !failure.may_retry) return tl::make_unexpected(failure);
    tell(failure.message);
    return connect();
  }

  // Hands over what is due and what there is room for.
  Outcome<bool> feed() {
    while (is_ready_ && !is_all_given() && has_room() && now() >= next_at_) {
      OutgoingMessage message = settings_.message;
      if (settings_.source == PayloadSource::kLines) {
        if (!lines_.next(message.payload)) return true;
        if (message.payload.empty()) continue;
      }
      client_.protocol().publish(++given_, std::move(message));
      if (settings_.interval.ms > 0) next_at_ = now() + settings_.interval;
      NJ_CHECK(drain_events());
    }
    return true;
  }

  bool has_room() {
    ClientProtocol& protocol = client_.protocol();
    return protocol.unfinished() < kAheadMessagesMax && protocol.unfinished_bytes() < kAheadBytesMax &&
           protocol.output().size() < kAheadBytesMax;
  }

  bool wants_lines() {
    return settings_.source == PayloadSource::kLines && !lines_.is_at_end() && has_room() &&
           now() >= next_at_;
  }

  [[nodiscard]] MonoTime next_due() const { return is_all_given() || now() >= next_at_ ? kNever : next_at_; }

  // With lines: all were read; whether one is left is for feed() to say.
  [[nodiscard]] bool is_all_given() const {
    return settings_.source == PayloadSource::kFixed && given_ == settings_.repeat;
  }

  bool is_done() {
    if (settings_.is_request) return is_answered_ || refused_ > 0;
    const bool is_finished =
        client_.protocol().unfinished() == 0 && !client_.has_unsent() && !client_.protocol().has_event();
    if (settings_.source == PayloadSource::kFixed) return is_finished && is_all_given();
    return is_finished && lines_.is_at_end() && lines_.is_empty();
  }

  Outcome<bool> drain_events() {
    for (Event event; client_.protocol().next_event(event);) NJ_CHECK(handle(event));
    return true;
  }

  Outcome<bool> handle(const Event& event) {
    if (const auto* published = std::get_if<Published>(&event)) {
      if (!published->accepted) report_refused(*published);
    } else if (const auto* subscribed = std::get_if<Subscribed>(&event)) {
      return on_subscribed(*subscribed);
    } else if (const auto* message = std::get_if<ReceivedMessage>(&event)) {
      on_answer(*message);
    } else if (const auto* ended = std::get_if<Ended>(&event)) {
      return connect_again({ExitCode::kConnectionLost, ended->why, ended->may_retry});
    }
    return true;
  }

  void report_refused(const Published& published) {
    ++refused_;
    last_refusal_ = published.why;
    const bool is_only_one = settings_.source == PayloadSource::kFixed && settings_.repeat == 1;
    if (!is_only_one) tell(fmt::format("message {} was refused: {}", published.number, published.why));
  }

  Outcome<bool> on_subscribed(const Subscribed& subscribed) {
    const mqtt::ReasonCode code = subscribed.codes.front();
    if (static_cast<std::uint8_t>(code) >= 0x80) {
      return stop(ExitCode::kRefused,
                  fmt::format("the broker refused to subscribe to the response topic {}: {}",
                              *settings_.message.properties.response_topic, describe(code, subscribed.why)));
    }
    is_ready_ = true;
    return true;
  }

  void on_answer(const ReceivedMessage& message) {
    // Several requests may share a Response Topic; the Correlation Data tells whose answer it is.
    const auto& expected = settings_.message.properties.correlation_data;
    if (is_answered_ || (expected && message.properties.correlation_data != expected)) return;
    is_answered_ = true;
    std::string text;
    settings_.format.render(message, wall_ms(), text);
    fmt::print("{}\n", text);
  }

  Outcome<bool> timed_out() {
    const std::size_t open = client_.protocol().unfinished();
    client_.disconnect();
    if (settings_.is_request) return stop(ExitCode::kTimedOut, "no answer in time");
    return stop(ExitCode::kTimedOut,
                fmt::format("timed out; {} of {} messages were not acknowledged", open, given_));
  }

  PubSettings settings_;
  Client client_;
  MonoTime deadline_;
  MonoTime next_at_;
  LineReader lines_;
  std::uint64_t given_ = 0;
  std::uint64_t refused_ = 0;
  std::string last_refusal_;
  bool is_ready_ = true;  // not while the subscription to the answer is pending
  bool is_answered_ = false;
};

}  // namespace

int run_pub(int argc, char** argv) {
  return run_command(kName, parse_pub(argc, argv),
                     [](PubSettings settings) { return Publisher{std::move(settings)}.run(); });
}

}  // namespace nightjar::cli
