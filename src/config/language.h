// The languages in which keys are explained. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace nightjar::config {

enum class Language : std::uint8_t { kEnglish, kChinese };

// Of a locale ("zh_CN.UTF-8") or a language ("zh"); every other than Chinese is English.
constexpr Language language_of(std::string_view locale) {
  return locale.starts_with("zh") ? Language::kChinese : Language::kEnglish;
}

}  // namespace nightjar::config
