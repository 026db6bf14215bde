#include "net/passing_bytes.h"

#include <array>

namespace nightjar::net {
namespace {

struct Kept {
  std::array<ByteBuffer, PassingBytes::kBuffersMax> spares;
  std::size_t count = 0;
  ByteBuffer handed_out;
};
thread_local Kept t_kept;

}  // namespace

void PassingBytes::lend(ByteBuffer& buffer) {
  if (buffer.capacity() == 0 && t_kept.count != 0) buffer.swap(t_kept.spares[--t_kept.count]);
}

void PassingBytes::take_back(ByteBuffer& buffer) {
  if (buffer.capacity() == 0) return;
  if (t_kept.count == kBuffersMax || buffer.capacity() > kBufferBytesMax) return buffer.release();
  buffer.clear();
  buffer.swap(t_kept.spares[t_kept.count++]);
}

ByteView PassingBytes::hand_out(ByteBuffer& buffer) {
  take_back(t_kept.handed_out);
  t_kept.handed_out.swap(buffer);
  return t_kept.handed_out.view();
}

}  // namespace nightjar::net
