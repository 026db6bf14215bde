#include "config/describe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "config/units.h"

namespace nightjar::config {
namespace {

constexpr std::int64_t kSecond = 1000;

std::string describe_in_english(const Shape& shape) {
  switch (shape.kind) {
    case Kind::kBool:
      return "true or false";
    case Kind::kText:
      return "a string";
    case Kind::kTexts:
      return "an array of strings";
    case Kind::kMode:
      return "permissions in octal digits, such as \"0660\"";
    case Kind::kChoice:
      return fmt::format("one of \"{}\"", fmt::join(shape.choices, "\", \""));
    case Kind::kNumber:
      return fmt::format("a number from {} to {}", shape.min, shape.max);
    case Kind::kSize:
      return fmt::format("a size from {} to {}", format_size(shape.min), format_size(shape.max));
    case Kind::kDuration:
      break;
  }
  return fmt::format("a duration from {} to {}{}{}", format_duration(shape.min), format_duration(shape.max),
                     shape.step == kSecond ? " in whole seconds" : "",
                     shape.never != 0 ? ", or \"never\"" : "");
}

std::string describe_in_chinese(const Shape& shape) {
  switch (shape.kind) {
    case Kind::kBool:
      return "true 或 false";
    case Kind::kText:
      return "字符串";
    case Kind::kTexts:
      return "字符串数组";
    case Kind::kMode:
      return "八进制权限，例如 \"0660\"";
    case Kind::kChoice:
      return fmt::format("\"{}\" 之一", fmt::join(shape.choices, "\"、\""));
    case Kind::kNumber:
      return fmt::format("{} 到 {} 的整数", shape.min, shape.max);
    case Kind::kSize:
      return fmt::format("大小，{} 到 {}", format_size(shape.min), format_size(shape.max));
    case Kind::kDuration:
      break;
  }
  return fmt::format("时长，{} 到 {}{}{}", format_duration(shape.min), format_duration(shape.max),
                     shape.step == kSecond ? "，须为整秒" : "", shape.never != 0 ? "，或 \"never\"" : "");
}

}  // namespace

std::string describe(const Shape& shape, Language language) {
  return language == Language::kChinese ? describe_in_chinese(shape) : describe_in_english(shape);
}

std::string to_toml(const Shape& shape, const Value& value) {
  switch (shape.kind) {
    case Kind::kBool:
      return std::get<bool>(value) ? "true" : "false";
    case Kind::kText:
      return fmt::format("\"{}\"", std::get<std::string>(value));
    case Kind::kTexts: {
      const auto& list = std::get<std::vector<std::string>>(value);
      return list.empty() ? "[]" : fmt::format("[\"{}\"]", fmt::join(list, "\", \""));
    }
    case Kind::kMode:
      return fmt::format("\"{:04o}\"", std::get<std::int64_t>(value));
    case Kind::kChoice:
      return fmt::format("\"{}\"", shape.choices[static_cast<std::size_t>(std::get<std::int64_t>(value))]);
    case Kind::kNumber:
      return fmt::format("{}", std::get<std::int64_t>(value));
    case Kind::kSize:
      return fmt::format("\"{}\"", format_size(std::get<std::int64_t>(value)));
    case Kind::kDuration:
      break;
  }
  const std::int64_t ms = std::get<std::int64_t>(value);
  if (shape.never != 0 && ms == shape.never) return "\"never\"";
  return ms == 0 ? "0" : fmt::format("\"{}\"", format_duration(ms));
}

std::string example_of(const Slot& slot) {
  const Shape& shape = slot.shape;
  switch (shape.kind) {
    case Kind::kBool:
      return std::get<bool>(slot.get()) ? "false" : "true";
    case Kind::kChoice:
      return fmt::format("\"{}\"", shape.choices[std::get<std::int64_t>(slot.get()) == 0 ? 1 : 0]);
    case Kind::kNumber:
      return std::string(shape.example);
    case Kind::kTexts:
      return fmt::format("[\"{}\"]", shape.example);
    case Kind::kText:
    case Kind::kMode:
    case Kind::kSize:
    case Kind::kDuration:
      break;
  }
  return fmt::format("\"{}\"", shape.example);
}

}  // namespace nightjar::config
