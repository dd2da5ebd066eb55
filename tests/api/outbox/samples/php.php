<?php
foreach (['page_body.json', 'page_loop.json'] as $name) {
    $ch = curl_init(getenv('BASE_URL') . '/api/sms/send-bulk');
    curl_setopt_array($ch, [
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_POST           => true,
        CURLOPT_HTTPHEADER     => [
            'Authorization: Bearer ' . getenv('API_KEY'),
            'Content-Type: application/json',
        ],
        CURLOPT_POSTFIELDS => file_get_contents($name),
    ]);
    echo curl_exec($ch), "\n";
}
