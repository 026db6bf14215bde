// Writes one flat JSON object to a string, member by member: what a line of the log or one message needs,
// without building a tree first. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nightjar::cli {

// Appends `text`, which is valid UTF-8, in quotes.
void append_json_string(std::string_view text, std::string& out);

// The members of an object, without its braces. They keep their order.
class JsonMembers {
 public:
  explicit JsonMembers(std::string& out) : out_(out) {}
  JsonMembers(const JsonMembers&) = delete;
  JsonMembers& operator=(const JsonMembers&) = delete;

  // The name of a member whose value the caller appends next.
  void key(std::string_view name);
  void text(std::string_view name, std::string_view value);
  void number(std::string_view name, std::uint64_t value);
  void boolean(std::string_view name, bool value);
  // A string if `value` is UTF-8, else base64 under NAME_base64.
  void bytes(std::string_view name, std::string_view value);

 private:
  std::string& out_;
  bool is_first_ = true;
};

// Opens with '{' when made and closes with '}' at the end of its life.
class JsonObject : public JsonMembers {
 public:
  explicit JsonObject(std::string& out) : JsonMembers(out += '{'), closing_(out) {}
  ~JsonObject() { closing_ += '}'; }

 private:
  std::string& closing_;
};

}  // namespace nightjar::cli
