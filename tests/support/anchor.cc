// Anchors the library while other support files come and go.
namespace braid { namespace { [[maybe_unused]] constexpr int kSupport = 0; } }
