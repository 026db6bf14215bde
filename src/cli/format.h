// Format strings of `nightjar sub -F`: "%t %p" becomes the topic, a blank and the payload.
// A Format is a value, parsed once and used for every message. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/message.h"

namespace nightjar::cli {

class Format {
 public:
  // "%p", the payload as it is.
  Format();
  // Knows the conversions of format_help() and the escapes \n \t \r \0 \e \\; anything else is an error.
  static Result<Format> parse(std::string_view text);

  // Appends `message`, received at `wall_ms` (milliseconds since 1970), to `out`.
  void render(const ReceivedMessage& message, std::int64_t wall_ms, std::string& out) const;

 private:
  // Text as it is, or (conversion != 0) a part of the message.
  struct Piece {
    char conversion = 0;
    std::string literal;
  };
  std::vector<Piece> pieces_;
};

// The table of conversions for --help.
std::string_view format_help();

// The whole message as one JSON object on one line: payload as "payload" if it is UTF-8, else
// "payload_base64".
void render_json(const ReceivedMessage& message, std::int64_t wall_ms, std::string& out);

}  // namespace nightjar::cli
