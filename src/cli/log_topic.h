// Lines of the log as messages below $SYS/broker/log/, Mosquitto's "log_dest topic". Any thread may publish
// one; where they go is set and unset by the main thread.
#pragma once

#include <string_view>

#include "base/log.h"
#include "net/mail_room.h"

namespace nightjar::cli {

// While it lives, lines are published by the first worker of `mail`, which outlives it.
class LogTopic {
 public:
  explicit LogTopic(net::MailRoom& mail);
  ~LogTopic();
  LogTopic(const LogTopic&) = delete;
  LogTopic& operator=(const LogTopic&) = delete;
};

// Drops the line if nobody publishes it, or too many wait to be.
void publish_line(log::Level level, std::string_view line);

}  // namespace nightjar::cli
