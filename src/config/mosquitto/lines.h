// The lines of a mosquitto.conf: "name value", a comment where the first character is #. What a name means is
// for keys.h. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nightjar::config::mosquitto {

// Where something is said, as messages name it: "mosquitto.conf:14".
struct Place {
  std::string file;
  std::uint32_t line = 0;

  [[nodiscard]] std::string text() const;
};

struct Line {
  std::uint32_t number = 0;
  std::string_view name;
  std::string_view value;  // without spaces around it; may be empty
};

// The lines that say something, in order; views into `text`. Line ends may be those of Windows, and the last
// one may be missing.
std::vector<Line> split_lines(std::string_view text);

// The first word of `value`, and takes it off the front.
std::string_view take_word(std::string_view& value, std::string_view separators = " ");

// In the order of include_dir: letters before case, "A a B b".
bool is_included_before(std::string_view a, std::string_view b);

// Where the text of files comes from.
class Files {
 public:
  Files() = default;
  virtual ~Files() = default;
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  virtual Result<std::string> read(const std::string& path) = 0;
  // Names in a directory, without the path and in any order.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
};

}  // namespace nightjar::config::mosquitto
