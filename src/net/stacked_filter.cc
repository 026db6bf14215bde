#include "net/stacked_filter.h"

#include <utility>

#include "net/passing_bytes.h"

namespace nightjar::net {

StackedFilter::StackedFilter(std::unique_ptr<StreamFilter> outer, std::unique_ptr<StreamFilter> inner)
    : outer_(std::move(outer)), inner_(std::move(inner)) {}

// ---- input ----

bool StackedFilter::receive(ByteView wire) {
  if (path_ == Path::kInner) return inner_->receive(wire);
  if (path_ == Path::kOuter) return outer_->receive(wire);
  bool is_open = outer_->receive(wire);
  is_open = feed_inner() && is_open;
  if (!is_open || outer_->wire().size() < kAnswersWaitAbove) pass_on_wire();
  leave_out_what_is_transparent();
  return is_open;
}

// One read is bounded, and no filter makes much more of it, so this is too. What a transparent inner one does
// not need to see stays in the outer.
bool StackedFilter::feed_inner() {
  if (inner_->has_put_off() && !inner_->receive({})) return false;
  while (!inner_->is_transparent() && outer_->has_plain()) {
    if (!inner_->receive(outer_->next_plain())) return false;
  }
  return true;
}

void StackedFilter::leave_out_what_is_transparent() {
  if (outer_->is_transparent() && !outer_->has_plain() && outer_->wire().empty()) {
    path_ = Path::kInner;
  } else if (inner_->is_transparent() && !inner_->has_plain() && inner_->wire().empty()) {
    path_ = Path::kOuter;
  }
}

bool StackedFilter::has_plain() const {
  if (path_ == Path::kOuter) return outer_->has_plain();
  return inner_->has_plain() || (path_ == Path::kBoth && inner_->is_transparent() && outer_->has_plain());
}

ByteView StackedFilter::next_plain() {
  if (path_ == Path::kInner || inner_->has_plain()) return inner_->next_plain();
  return inner_->is_transparent() ? outer_->next_plain() : ByteView{};
}

// ---- output ----

void StackedFilter::send(ByteView plain) {
  if (path_ == Path::kOuter) return outer_->send(plain);
  if (path_ == Path::kBoth) PassingBytes::lend(inner_->wire());
  inner_->send(plain);
  pass_on_wire();
}

void StackedFilter::finish() {
  if (path_ != Path::kOuter) inner_->finish();
  pass_on_wire();
  if (path_ != Path::kInner) outer_->finish();
}

void StackedFilter::pass_on_wire() {
  if (path_ != Path::kBoth) return;
  ByteBuffer& inner = inner_->wire();
  if (!inner.empty()) outer_->send(inner.view());
  inner.clear();
  PassingBytes::take_back(inner);
}

ByteBuffer& StackedFilter::wire() { return path_ == Path::kInner ? inner_->wire() : outer_->wire(); }

// ---- the peer ----

const broker::PeerProof* StackedFilter::proof() const {
  const broker::PeerProof* const inner = inner_->proof();
  return inner != nullptr ? inner : outer_->proof();
}

const PeerAddress* StackedFilter::source() const {
  const PeerAddress* const inner = inner_->source();
  return inner != nullptr ? inner : outer_->source();
}

}  // namespace nightjar::net
