// The text of a topic filter, kept as long as its subscription: a million of them are kept, so it costs its
// bytes and little more. Immutable once assigned. A plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace nightjar {

class CompactText {
 public:
  CompactText() = default;
  CompactText& operator=(std::string_view text) {
    text_ = text.empty() ? nullptr : std::make_unique_for_overwrite<char[]>(text.size());
    if (!text.empty()) std::memcpy(text_.get(), text.data(), text.size());
    size_ = static_cast<std::uint16_t>(text.size());
    return *this;
  }
  [[nodiscard]] std::string_view view() const { return {text_.get(), size_}; }
  // It reads as what it is.
  operator std::string_view() const { return view(); }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  friend bool operator==(const CompactText& a, std::string_view b) { return a.view() == b; }

 private:
  std::unique_ptr<char[]> text_;
  std::uint16_t size_ = 0;
};

}  // namespace nightjar
