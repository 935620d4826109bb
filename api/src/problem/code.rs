use axum::http::StatusCode;

macro_rules! codes {
    ($($name:ident = $status:ident, $code:literal, $title:literal;)*) => {
        /// Every way a request can fail, by its stable word. Clients act upon the word; the text is for people.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $(
            #[doc = $title]
            $name,
        )* }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    MalformedJson = BAD_REQUEST, "malformed_json", "The body is not JSON";
    InvalidBody = BAD_REQUEST, "invalid_body", "The body is not what this call takes";
    InvalidHeader = BAD_REQUEST, "invalid_header", "A header has a value that cannot be read";
    InvalidQuery = BAD_REQUEST, "invalid_query", "A query parameter has a value that cannot be read";
    InvalidPath = BAD_REQUEST, "invalid_path", "The address has a character that none may have";
    IdempotencyKeyRequired = BAD_REQUEST, "idempotency_key_required", "This call needs an Idempotency-Key";

    AuthenticationRequired = UNAUTHORIZED, "authentication_required", "Sign in first";
    InvalidToken = UNAUTHORIZED, "invalid_token", "The token is not valid (any more)";
    InvalidCredentials = UNAUTHORIZED, "invalid_credentials", "E-mail address or password is wrong";
    RefreshTokenReused = UNAUTHORIZED, "refresh_token_reused", "The refresh token was used before";
    PaymentDeclined = PAYMENT_REQUIRED, "payment_declined", "The payment was declined";
    Forbidden = FORBIDDEN, "forbidden", "This call is not for this caller";

    NotFound = NOT_FOUND, "not_found", "There is nothing at this address";
    CartNotFound = NOT_FOUND, "cart_not_found", "There is no such cart";
    ItemNotFound = NOT_FOUND, "item_not_found", "The cart has no such line";
    SkuNotFound = NOT_FOUND, "sku_not_found", "There is no such SKU";
    HoldNotFound = NOT_FOUND, "hold_not_found", "There is no such hold, or its time has passed";
    ProductNotFound = NOT_FOUND, "product_not_found", "There is no such product";
    OrderNotFound = NOT_FOUND, "order_not_found", "There is no such order";
    AddressNotFound = NOT_FOUND, "address_not_found", "There is no such address";
    UserNotFound = NOT_FOUND, "user_not_found", "There is no such account";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "The address does not take this method";
    RequestTimeout = REQUEST_TIMEOUT, "request_timeout", "The body came too slowly";

    CartExists = CONFLICT, "cart_exists", "The cart exists";
    CartExpired = CONFLICT, "cart_expired", "The cart has expired";
    CheckoutInProgress = CONFLICT, "checkout_in_progress", "The cart is being checked out";
    CartOrdered = CONFLICT, "cart_ordered", "The cart was ordered";
    ProductUnavailable = CONFLICT, "product_unavailable", "Some of it is no longer sold";
    PriceChanged = CONFLICT, "price_changed", "Prices have changed";
    InsufficientStock = CONFLICT, "insufficient_stock", "There is not enough in stock";
    HoldExists = CONFLICT, "hold_exists", "The hold's id is taken by another hold";
    BelowHeld = CONFLICT, "below_held", "More units are held than would be left";
    NotSold = CONFLICT, "not_sold", "Fewer units were sold";
    EmailTaken = CONFLICT, "email_taken", "An account with this e-mail address exists";
    SkuTaken = CONFLICT, "sku_taken", "The SKU belongs to another product";
    ForbiddenTransition = CONFLICT, "forbidden_transition", "The order cannot become that now";
    VersionMismatch = PRECONDITION_FAILED, "version_mismatch", "It has changed since you read it";
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large";
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body's type is not taken here";

    UnknownSku = UNPROCESSABLE_ENTITY, "unknown_sku", "There is no such SKU";
    NoPrice = UNPROCESSABLE_ENTITY, "no_price", "The SKU has no price in the cart's currency";
    CartFull = UNPROCESSABLE_ENTITY, "cart_full", "The cart has no room for another line";
    CartEmpty = UNPROCESSABLE_ENTITY, "cart_empty", "The cart is empty";
    QuantityOutOfRange = UNPROCESSABLE_ENTITY, "quantity_out_of_range", "The quantity is out of range";
    TotalTooLarge = UNPROCESSABLE_ENTITY, "total_too_large", "The total is more than can be counted";
    TtlOutOfRange = UNPROCESSABLE_ENTITY, "ttl_out_of_range", "The hold's time is out of range";
    OnHandOutOfRange = UNPROCESSABLE_ENTITY, "on_hand_out_of_range", "So many units cannot be on hand";
    InvalidMetadata = UNPROCESSABLE_ENTITY, "invalid_metadata", "The metadata is too large or too deep";
    InvalidField = UNPROCESSABLE_ENTITY, "invalid_field", "A field's value is not acceptable";
    TooManyOperations = UNPROCESSABLE_ENTITY, "too_many_operations", "The batch has too many operations";
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY, "idempotency_key_reused", "The key was used with another request";
    IdempotencyKeyTooShort = UNPROCESSABLE_ENTITY, "idempotency_key_too_short", "A guest's key has 32 characters or more";

    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "Too much work at the moment";
    PaymentUnavailable = SERVICE_UNAVAILABLE, "payment_unavailable", "The payment gateway gave no answer; nothing was bought";
    Unavailable = SERVICE_UNAVAILABLE, "unavailable", "The shop cannot do this at the moment; nothing was changed";
    OutcomeUnknown = SERVICE_UNAVAILABLE, "outcome_unknown", "It is not known whether this was done: try again with the same key";
    DeadlineExceeded = SERVICE_UNAVAILABLE, "deadline_exceeded", "It took too long; whether it was done is not known: try again with the same key";
    Internal = INTERNAL_SERVER_ERROR, "internal", "A defect in the shop";
}
